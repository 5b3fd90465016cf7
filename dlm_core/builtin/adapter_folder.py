"""The plainest export: a copy of the adapter folder, as PEFT and vLLM read it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..api import Artifact, Exporter, ExportJob


class AdapterFolder(Exporter):
    name = "adapter"
    help = "the LoRA adapter as a PEFT folder"

    def export(self, job: ExportJob) -> Iterable[Artifact]:
        for source in sorted(job.adapter.rglob("*")):
            if source.is_file():
                target = job.out / source.relative_to(job.adapter)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                yield Artifact(target, _sha256(target))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
