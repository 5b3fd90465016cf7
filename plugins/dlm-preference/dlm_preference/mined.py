"""What `dlm preference mine` found, kept beside the document's versions: one JSON file a run, written once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dlm_core import files
from dlm_core.api import RunFailedError, UsageError


@dataclass(frozen=True, slots=True)
class MinedPair:
    """Two answers of the model to a question of the document; `section_id` and `line` say which section asked it."""

    section_id: str
    line: int
    adapter: str
    prompt: str
    chosen: str
    rejected: str
    score_chosen: float
    score_rejected: float


@dataclass(frozen=True, slots=True)
class MinedRun:
    """One mining: its number, when it was (ISO 8601), by which judge, of which version, how, and what it found."""

    id: int
    at: str
    judge: str
    version: int
    how: Mapping[str, Any]
    pairs: tuple[MinedPair, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pairs": [asdict(pair) for pair in self.pairs]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MinedRun:
        return cls(**{**value, "pairs": tuple(MinedPair(**pair) for pair in value["pairs"])})


def runs(root: Path) -> list[MinedRun]:
    """Every run in a document's store, oldest first.  Raises RunFailedError for a file that cannot be read."""
    return [_read(path) for path in sorted((root / "mined").glob("run-*.json"))]


def find(root: Path, number: int | None) -> MinedRun:
    """A run by its number, or the last one.  Raises UsageError when there is none."""
    found = runs(root)
    if number is None and found:
        return found[-1]
    for run in found:
        if run.id == number:
            return run
    numbers = ", ".join(str(run.id) for run in found)
    raise UsageError(
        f"there is no mining run {number}" if found else "nothing was mined yet",
        f"there are: {numbers}" if found else "start with `dlm preference mine DOCUMENT`",
    )


def keep(
    root: Path, taken: int, at: str, judge: str, version: int, how: Mapping[str, Any], pairs: tuple[MinedPair, ...]
) -> MinedRun:
    """Write a run under the next number above `taken` and above every run there is, whole or not at all."""
    folder = root / "mined"
    number = max([taken, *(int(path.stem.removeprefix("run-")) for path in folder.glob("run-*.json"))]) + 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            run = MinedRun(number, at, judge, version, how, pairs)
            if _write_new(folder / f"run-{number:04d}.json", run):
                return run
            number += 1  # another mining was faster
    except OSError as error:
        raise RunFailedError(f"{folder} could not be written: {error.strerror or error}", "make room there") from error


def _write_new(path: Path, run: MinedRun) -> bool:
    """Give the file its name only if nobody else has; whether that worked."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(json.dumps(run.to_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        files.sync(draft)
        os.link(draft, path)
        files.sync(path.parent)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _read(path: Path) -> MinedRun:
    try:
        return MinedRun.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunFailedError(f"{path} is damaged: {error}", "remove that file") from error
