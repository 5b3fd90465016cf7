"""Generation records and HEAD, the one file that is ever replaced.

A record names everything that is current: all versions, the one in use, and the exports.  `HEAD` holds a record's
number and hash.  A reader follows HEAD and needs no lock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..api import DlmError
from . import atomic, objects

FORMAT = 1
_HEAD = re.compile(rb"([0-9]{1,9}) ([0-9a-f]{64})\n?")


class DamagedStoreError(DlmError):
    """Something the store wrote is missing or was changed afterwards."""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A trained version: the hashes of its adapter folder and of its sealed manifest, and the run that made it.

    `replay` is the hash of what it knows of its rows; "" for a version made before that was kept.
    """

    number: int
    adapter: str
    manifest: str
    run: int
    created: str
    replay: str = ""


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """A finished export of one version: the hash of its folder and each file's size and hash."""

    version: int
    name: str
    sha256: str
    files: Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Generation:
    """The state of a store.  Generation 0 is the empty one; `parent` is the hash of the record before."""

    number: int = 0
    parent: str = ""
    created: str = ""
    reason: str = "new"
    current: int = 0
    versions: tuple[VersionRecord, ...] = ()
    exports: tuple[ExportRecord, ...] = ()

    @property
    def last_run(self) -> int:
        """The highest run that made a version; 0 when there is none."""
        return max((version.run for version in self.versions), default=0)

    def encode(self) -> bytes:
        value = {"format": FORMAT, **asdict(self)}
        for version in value["versions"]:
            if not version["replay"]:
                del version["replay"]  # a record from before must keep its bytes
        return objects.encode(value)


def record_path(root: Path, number: int) -> Path:
    return root / "generations" / f"{number:06d}.json"


def read_current(root: Path) -> Generation:
    """The generation that HEAD names; the empty one when there is no store yet.  Raises DamagedStoreError."""
    head = _read_head(root)
    while head is not None:
        data = atomic.read_if_there(record_path(root, head[0]))
        if data is not None and objects.sha256(data) == head[1]:
            return _decode(data, record_path(root, head[0]))
        # A writer may have gone on and collected the record between the two reads.
        again = _read_head(root)
        if again == head:
            what = "is missing" if data is None else "was changed"
            raise _damaged(root, f"{record_path(root, head[0])} {what}")
        head = again
    if any(number > 0 for number in record_numbers(root)):
        raise _damaged(root, f"{root / 'HEAD'} is missing")
    return Generation()


def record_numbers(root: Path) -> list[int]:
    """The numbers of all records on disk, ascending, whether HEAD leads to them or not."""
    return sorted(int(path.stem) for path in (root / "generations").glob("*.json") if path.stem.isdecimal())


def create(root: Path) -> None:
    """Write generation 0 and HEAD unless there is a HEAD.  Needs the lock."""
    if _read_head(root) is None:
        read_current(root)
        _publish(root, Generation(created=now()))


def advance(root: Path, old: Generation, reason: str, **changes: Any) -> Generation:
    """Make the generation after `old` and move HEAD to it.  Needs the lock.  Raises StoreError."""
    parent = objects.sha256(old.encode())
    new = replace(old, number=old.number + 1, parent=parent, created=now(), reason=reason, **changes)
    _publish(root, new)
    return new


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _publish(root: Path, generation: Generation) -> None:
    data = generation.encode()
    atomic.write_file(record_path(root, generation.number), data)
    atomic.write_file(root / "HEAD", f"{generation.number} {objects.sha256(data)}\n".encode())


def _read_head(root: Path) -> tuple[int, str] | None:
    data = atomic.read_if_there(root / "HEAD")
    if data is None:
        return None
    found = _HEAD.fullmatch(data)
    if found is None:
        raise _damaged(root, f"{root / 'HEAD'} was changed")
    return int(found[1]), found[2].decode()


def _decode(data: bytes, path: Path) -> Generation:
    value = json.loads(data)
    if value.pop("format") != FORMAT:
        raise DlmError(f"{path} was written by a newer dlm", "Upgrade dlm-core.")
    versions = tuple(VersionRecord(**entry) for entry in value.pop("versions"))
    exports = tuple(_decode_export(entry) for entry in value.pop("exports"))
    return Generation(**value, versions=versions, exports=exports)


def _decode_export(entry: dict[str, Any]) -> ExportRecord:
    files = {name: (size, digest) for name, (size, digest) in entry.pop("files").items()}
    return ExportRecord(**entry, files=files)


def _damaged(root: Path, message: str) -> DamagedStoreError:
    """The error, with the line that would lead HEAD back to the newest record that can be read."""
    for number in reversed(record_numbers(root)):
        data = atomic.read_if_there(record_path(root, number))
        try:
            whole = data is not None and _decode(data, record_path(root, number)).encode() == data
        except (ValueError, TypeError, KeyError, DlmError):
            whole = False
        if whole and data is not None:
            line = f"{number} {objects.sha256(data)}"
            return DamagedStoreError(message, f"To go back to generation {number}, put `{line}` into {root / 'HEAD'}.")
    return DamagedStoreError(message, f"Restore {root} from a backup, or remove it and train again.")
