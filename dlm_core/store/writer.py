"""What the holder of a store's lock may do: train, roll back, keep exports, collect garbage."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import DlmError, RunFailedError, UsageError
from . import atomic, generations, objects, replay, reports
from .cleanup import collect
from .finite import first_nonfinite
from .generations import ExportRecord, VersionRecord
from .store import Interrupted, Version, export_path, manifest_path, run_folders

if TYPE_CHECKING:
    from .store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRAIN_AGAIN = "Train from the base with `dlm run --fresh`, or `dlm rollback` to another version."
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")


@dataclass(frozen=True, slots=True)
class Kept:
    """An adapter folder in the store, durable, and not yet named by any generation."""

    path: Path
    sha256: str
    files: objects.Listing


class Writer:
    """Use `Store.writing`."""

    def __init__(self, store: Store) -> None:
        self.store, self.root = store, store.root

    def prepare(self) -> None:
        """Make the store's folders and clear away what earlier commands left: dead and failed runs, old records."""
        for name in ("generations", "adapters", "manifests", "replay", "exports", "runs", "tmp"):
            atomic.make_folder(self.root / name)
        # A run that was killed may have made these folders without making their names durable.
        for folder in (self.root.parent.parent, self.root.parent, self.root, self.root / "exports"):
            atomic.sync_folder(folder)
        generations.create(self.root)
        self.collect()
        self.store.runs.mark_dead({v.run: v.number for v in self.store.generation().versions})

    def begin(self, manifest: Mapping[str, Any]) -> Run:
        """Start a run: its number is new and `manifest` is on disk before this returns."""
        recorded = self.store.runs.last() or {"id": 0}
        highest = next(iter(run_folders(self.root)), 0)
        number = 1 + max(self.store.generation().last_run, highest, recorded["id"])
        folder = self.root / "runs" / f"{number:06d}"
        opening = {**manifest, "run": number, "started": generations.now()}
        data = _encode(opening)
        atomic.make_folder(folder)
        atomic.write_file(folder / "manifest.json", data)
        return Run(self, number, opening)

    def resume(self, interrupted: Interrupted) -> Run:
        """Go on with a run that was stopped: same number, same opening manifest, same work folder."""
        return Run(self, interrupted.id, interrupted.manifest)

    def rollback(self, number: int) -> Version:
        """Make an older version the current one.  Raises UsageError when there is none of that number."""
        version = self.store.version(number)
        state = self.store.generation()
        if state.current != number:
            generations.advance(self.root, state, "rollback", current=number)
        return version

    def scratch(self, name: str) -> Path:
        """A fresh empty folder on the store's disk, gone when the next writer starts."""
        folder = self.root / "tmp" / _checked(name)
        atomic.remove(folder)
        atomic.make_folder(folder)
        return folder

    def keep_export(self, version: int, name: str, folder: Path) -> Path:
        """Move a finished export in, file names unchanged; an earlier one of this name is replaced.

        Returns `exports/v0001/<name>`.  Raises UsageError for an unknown version or a name that is no file name.
        """
        run = self.store.version(version).run
        atomic.sync_tree(folder)
        files = objects.list_folder(folder)
        record = ExportRecord(version, _checked(name), objects.listing_hash(files), files)
        target = export_path(self.root, version, name)
        state = self.store.generation()
        others = tuple(e for e in state.exports if (e.version, e.name) != (version, name))
        if record in state.exports and not objects.differences(target, files, read_data=True):
            atomic.remove(folder)
            return target
        if others != state.exports:
            # No generation may name a folder whose content is being exchanged.
            state = generations.advance(self.root, state, "drop export", exports=others)
        atomic.remove(target)
        atomic.make_folder(target.parent)
        atomic.move(folder, target)
        generations.advance(self.root, state, "export", exports=(*others, record))
        size = sum(size for size, _ in files.values())
        self.store.runs.export(version, name, run, path=target, size=size, sha256=record.sha256)
        return target

    def collect(self) -> list[str]:
        """Remove what no generation names and what no run can be continued from; returns the removed paths."""
        return collect(self.root)


class Run:
    """A training run.  `out` is empty for the trainer to fill; `work` keeps checkpoints across interrupt and kill."""

    def __init__(self, writer: Writer, number: int, opening: Mapping[str, Any]) -> None:
        self.id, self.manifest = number, opening
        self._store, self._root = writer.store, writer.root
        self._folder = writer.root / "runs" / f"{number:06d}"
        self.out, self.work = self._folder / "out", self._folder / "work"
        atomic.remove(self.out)
        atomic.make_folder(self.out)
        atomic.make_folder(self.work)
        self._store.runs.start(number, _name_of(opening.get("document")), _name_of(opening.get("base")))

    def keep(self, folder: Path) -> Kept:
        """Make a trained adapter folder durable and give it its content's name.

        Raises RunFailedError when it holds NaN or infinity, a pickle, a link, or no weights at all.
        """
        atomic.sync_tree(folder)
        files = objects.list_folder(folder)
        _refuse_unusable(folder, files)
        digest = objects.listing_hash(files)
        target = self._root / "adapters" / digest
        if target.exists() and not objects.differences(target, files, read_data=True):
            # Whoever put it there may have died before its name was durable.
            atomic.sync_folder(target.parent)
            atomic.remove(folder)
        else:
            atomic.remove(target)
            atomic.move(folder, target)
        return Kept(target, digest, files)

    def keep_version(self, version: Version) -> Kept:
        """The adapter of a version that is there, to be committed once more under a new number."""
        files = {name: (size, digest) for name, (size, digest) in version.manifest["adapter"]["files"].items()}
        if wrong := objects.differences(version.adapter, files, read_data=True):
            raise RunFailedError(f"the adapter of version {version.number} is damaged: {wrong[0]}", _TRAIN_AGAIN)
        return Kept(version.adapter, version.sha256, files)

    def commit(self, kept: Kept, seal: Mapping[str, Any], segment: Callable[[int], bytes] | None = None) -> Version:
        """Seal the manifest and make a new version current.  On any error the version before stays current.

        `segment` gives, for the version's number, what that version knows of its rows.
        """
        state = self._store.generation()
        number = 1 + max((version.number for version in state.versions), default=0)
        created = generations.now()
        own = {"run": self.id, "version": number, "created": created}
        adapter = {"sha256": kept.sha256, "files": kept.files}
        data = _encode({**self.manifest, **seal, **own, "adapter": adapter})
        digest = objects.sha256(data)
        atomic.write_file(manifest_path(self._root, digest), data)
        known = replay.write_segment(self._root, segment(number)) if segment else ""
        record = VersionRecord(number, kept.sha256, digest, self.id, created, known)
        generations.advance(self._root, state, "train", current=number, versions=(*state.versions, record))
        self._store.runs.finish(self.id, "committed", version=number)
        self._clear(self._folder)
        return self._store.version(number)

    def fail(self, reason: str) -> None:
        """Record that the run failed and drop its files; the version before stays current."""
        self._store.runs.finish(self.id, "failed", reason=reason)
        self._clear(self.out, self.work)

    def interrupt(self, step: int) -> None:
        """Record that the run was stopped after `step`; its checkpoints stay and are made durable."""
        atomic.sync_tree(self.work)
        self._store.runs.finish(self.id, "interrupted", step=step)

    def record(self, table: str, **values: Any) -> None:
        """Add to the runs database: `step`, `eval` or `export` with its values, or `exam` with `rows`."""
        getattr(self._store.runs, table)(run=self.id, **values)

    def describe(self, **values: Any) -> None:
        """Note in the runs database what is known of this run as a whole, in place of what was noted before."""
        self._store.runs.describe(self.id, **values)

    def write_report(self, page: str) -> Path:
        """Keep the page about this run and clear old ones away.  Raises StoreError; nothing depends on the page."""
        path = reports.write_report(self._root, self.id, page)
        reports.prune_reports(self._root, {version.run for version in self._store.generation().versions})
        return path

    def _clear(self, *folders: Path) -> None:
        # Nothing needs these files any more; what cannot be removed now is swept by the next writer.
        for folder in folders:
            try:
                atomic.remove(folder)
            except DlmError:
                continue


def _refuse_unusable(folder: Path, files: objects.Listing) -> None:
    if not any(name.endswith(".safetensors") for name in files):
        raise RunFailedError("the trainer left no adapter weights", "This is a fault of the trainer; please report it.")
    for name in files:
        if name.endswith(_PICKLES):
            raise RunFailedError(
                f"the trainer left {name}, a pickle", "Adapters are kept as safetensors and JSON only."
            )
        if name.endswith(".safetensors"):
            _refuse_nonfinite(folder, name)


def _refuse_nonfinite(folder: Path, name: str) -> None:
    try:
        tensor = first_nonfinite(folder / name)
    except ValueError as error:
        raise RunFailedError(f"the trained file {name} cannot be read: {error}") from error
    if tensor is not None:
        hint = "Training diverged. Lower training.learning_rate, or set training.precision to bf16 or fp32."
        raise RunFailedError(f"the trained adapter holds NaN or infinity in {tensor} ({name})", hint)


def _encode(manifest: Mapping[str, Any]) -> bytes:
    try:
        return objects.encode(manifest)
    except ValueError as error:
        raise RunFailedError(f"the run's manifest holds a number that is not finite: {error}") from error


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name.endswith(atomic.PART):
        raise UsageError(f"{name!r} cannot be the name of an export", "Use letters, digits, dot, dash and underscore.")
    return name


def _name_of(value: Any) -> str | None:
    """A document or base for the runs table: a string as it is, a mapping by its `key` or `sha256`."""
    if isinstance(value, Mapping):
        value = value.get("key") or value.get("sha256")
    return value if isinstance(value, str) else None
