"""One page for each run, `reports/run-0003.html`.  No generation names it: a page bears its own hash."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ..api import DlmError
from . import atomic, objects

#: As many of the newest pages stay; of older ones, those of versions.
MOST_REPORTS = 50

_NAME = re.compile(r"run-(\d{4,9})\.html")
_SEAL = re.compile(rb"<!-- sha256 ([0-9a-f]{64}) -->\n")
_SEAL_LENGTH = len("<!-- sha256  -->\n") + 64


def report_path(root: Path, run: int) -> Path:
    return root / "reports" / f"run-{run:04d}.html"


def write_report(root: Path, run: int, page: str) -> Path:
    """Keep the page of a run, or replace it when the run was continued.  Needs the lock.  Raises StoreError."""
    data = page.encode("utf-8", errors="replace") + b"\n"
    path = report_path(root, run)
    atomic.make_folder(path.parent)
    atomic.write_file(path, data + f"<!-- sha256 {objects.sha256(data)} -->\n".encode())
    return path


def prune_reports(root: Path, keep: Collection[int]) -> None:
    """Remove the pages of runs but the newest `MOST_REPORTS` and those of the runs in `keep`.  Needs the lock."""
    for run, path in list(list_reports(root).items())[:-MOST_REPORTS]:
        if run not in keep:
            atomic.remove(path)


def list_reports(root: Path) -> dict[int, Path]:
    """Run number -> page, oldest first."""
    found = ((_NAME.fullmatch(path.name), path) for path in (root / "reports").glob("run-*.html"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def problems(root: Path) -> Iterator[str]:
    """A sentence for each page that is not as it was written."""
    for path in list_reports(root).values():
        try:
            data = atomic.read_file(path)
        except DlmError as error:
            yield error.message
            continue
        page, seal = data[:-_SEAL_LENGTH], _SEAL.fullmatch(data[-_SEAL_LENGTH:])
        if seal is None or objects.sha256(page) != seal[1].decode():
            yield f"{path}: its content has changed"
