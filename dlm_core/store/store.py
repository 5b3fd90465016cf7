"""The store of one document: what a reader sees.  Reading needs no lock.

<home>/store/<dlm_id>/
    HEAD             number and hash of the current generation record
    generations/     000007.json: every version and export, and which version is current
    adapters/        <sha256>/<adapter name>/…: trained adapters
    manifests/       <sha256>.json: how each version came to be
    replay/          <sha256>: what each version knows of its rows, and the rows it was the first to train
    exports/         v0001/<name>/…: finished exports
    runs/            000007/: the opening manifest, `out` and `work` of a run that is not committed
    runs.sqlite      what happened during each run
    reports/         run-0007.html: a page about each run
    lock, tmp/       one writer at a time, and its scratch folders
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import UsageError
from ..files import default_home
from . import atomic, generations, lock, objects, reports
from .generations import DamagedStoreError, Generation, VersionRecord
from .runs import Runs

if TYPE_CHECKING:
    from .writer import Writer

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_CHECKPOINT_PARTS = (".part", ".tmp")


@dataclass(frozen=True)
class Version:
    """A trained version.  `adapter` is a folder with one PEFT subfolder per adapter name."""

    root: Path
    record: VersionRecord
    exports: Mapping[str, Path]

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def created(self) -> str:
        return self.record.created

    @property
    def run(self) -> int:
        return self.record.run

    @property
    def sha256(self) -> str:
        """The hash of the adapter folder."""
        return self.record.adapter

    @property
    def adapter(self) -> Path:
        return self.root / "adapters" / self.record.adapter

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The sealed manifest, read and checked on first use.  Raises DamagedStoreError."""
        return read_manifest(self.root, self.record)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A run that was stopped or killed and left a checkpoint in `work`."""

    id: int
    work: Path
    manifest: Mapping[str, Any]


class Store:
    """Use `open_store`.  `runs` is the runs database."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = Runs(root / "runs.sqlite")

    def generation(self) -> Generation:
        """The current state, as HEAD names it.  Raises DamagedStoreError."""
        return generations.read_current(self.root)

    def current(self) -> Version | None:
        """The version in use; None before the first."""
        state = self.generation()
        return next((v for v in self._versions(state) if v.number == state.current), None)

    def versions(self) -> tuple[Version, ...]:
        """Every version, oldest first."""
        return self._versions(self.generation())

    def version(self, number: int) -> Version:
        """One version.  Raises UsageError that names those there are."""
        versions = self.versions()
        for version in versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in versions[-20:])
        hint = f"These versions exist: {known}." if known else "Nothing has been trained yet; `dlm run` does that."
        raise UsageError(f"there is no version {number}", hint)

    def interrupted(self) -> Interrupted | None:
        """The newest run that left a checkpoint and no version after it; None while a run is going on elsewhere.

        The answer holds for certain only inside `writing`, where no other run can be alive.
        """
        if lock.is_held_elsewhere(self.root / "lock"):
            return None
        return newest_interrupted(self.root, self.generation())

    def reports(self) -> dict[int, Path]:
        """Run number -> the page about that run, oldest first."""
        return reports.list_reports(self.root)

    @contextmanager
    def writing(self, tell: Callable[[str], None] = lambda _: None) -> Iterator[Writer]:
        """Hold the lock while the block runs; what earlier runs left behind is cleared away first.

        `tell` hears once who holds the lock, and at the end of trouble with the runs database, which stops nothing.
        Raises StoreError when the store cannot be written.
        """
        from .writer import Writer

        atomic.make_folder(self.root)
        with lock.hold(self.root / "lock", tell):
            writer = Writer(self)
            writer.prepare()
            try:
                yield writer
            finally:
                self.runs.close()
                for warning in self.runs.take_warnings():
                    tell(warning)

    def settle(self) -> None:
        """Make what is current durable: a process may have died between moving HEAD and making its name so."""
        atomic.sync_folder(self.root)

    def check(self, read_data: bool = True) -> list[str]:
        """What is wrong, one sentence each; without `read_data` file contents are not read."""
        from .check import problems

        return list(problems(self.root, read_data))

    def _versions(self, state: Generation) -> tuple[Version, ...]:
        return tuple(Version(self.root, record, self._exports(state, record.number)) for record in state.versions)

    def _exports(self, state: Generation, number: int) -> dict[str, Path]:
        return {e.name: export_path(self.root, number, e.name) for e in state.exports if e.version == number}


def open_store(dlm_id: str, home: Path | None = None) -> Store:
    """The store of a document; nothing is created until somebody writes.  Raises UsageError for a malformed id."""
    if not _ID.fullmatch(dlm_id):
        raise UsageError(f"{dlm_id!r} is not a document id", "A dlm_id is 26 characters, made by `dlm init`.")
    return Store((home or default_home()) / "store" / dlm_id)


def export_path(root: Path, version: int, name: str) -> Path:
    return root / "exports" / f"v{version:04d}" / name


def manifest_path(root: Path, digest: str) -> Path:
    return root / "manifests" / f"{digest}.json"


def read_manifest(root: Path, record: VersionRecord) -> dict[str, Any]:
    """A version's sealed manifest.  Raises DamagedStoreError when it is missing or was changed."""
    path = manifest_path(root, record.manifest)
    data = atomic.read_if_there(path)
    if data is None or objects.sha256(data) != record.manifest:
        what = "is missing" if data is None else "was changed"
        hint = "Train again, or `dlm rollback` to another version."
        raise DamagedStoreError(f"the manifest of version {record.number}, {path}, {what}", hint)
    manifest: dict[str, Any] = json.loads(data)
    return manifest


def run_folders(root: Path) -> dict[int, Path]:
    """Run number -> folder, newest first."""
    found = {int(path.name): path for path in (root / "runs").glob("*") if path.name.isdecimal()}
    return dict(sorted(found.items(), reverse=True))


def newest_interrupted(root: Path, state: Generation) -> Interrupted | None:
    """The newest uncommitted run after the last committed one that has an opening manifest and a checkpoint."""
    for number, folder in run_folders(root).items():
        if number <= state.last_run:
            return None
        manifest = _opening_manifest(folder)
        if manifest is not None and _has_checkpoint(folder / "work"):
            return Interrupted(number, folder / "work", manifest)
    return None


def _opening_manifest(folder: Path) -> dict[str, Any] | None:
    data = atomic.read_if_there(folder / "manifest.json")
    try:
        manifest = json.loads(data or b"")
    except ValueError:
        return None
    return manifest if isinstance(manifest, dict) else None


def _has_checkpoint(work: Path) -> bool:
    for _, folders, names in os.walk(work):
        folders[:] = [name for name in folders if not name.endswith(_CHECKPOINT_PARTS)]
        if any(not name.endswith(_CHECKPOINT_PARTS) for name in names):
            return True
    return False
