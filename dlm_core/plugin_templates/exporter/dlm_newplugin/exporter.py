"""The exporter: the document's questions and answers as a table for other programs."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from dlm_core.api import Artifact, Exporter, ExportFailedError, ExportJob, Option, Problem, Span

SEPARATORS = {"comma": ",", "tab": "\t"}


class NewPlugin(Exporter):
    name = "newplugin"
    help = "questions and answers as a table"
    options: ClassVar[Mapping[str, Option]] = {
        "separator": Option("comma", "what stands between two cells", tuple(SEPARATORS))
    }

    def preflight(self, job: ExportJob) -> Iterable[Problem]:
        if not any(row.question for row in job.rows):
            yield Problem(Span(1), "there is no question to write", "write an ::instruction:: section")

    def export(self, job: ExportJob) -> Iterable[Artifact]:
        path = job.out / f"{job.name}.csv"
        separator = SEPARATORS[job.options["separator"]]
        pairs = [[row.question[-1].text, row.answer or ""] for row in job.rows if row.question]
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=separator).writerows(pairs)
        if read(path, separator) != pairs:
            raise ExportFailedError("the table does not read back as it was written")
        yield Artifact(path, hashlib.sha256(path.read_bytes()).hexdigest(), {"pairs": len(pairs)})


def read(path: Path, separator: str) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=separator))
