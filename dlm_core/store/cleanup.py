"""Remove what dead runs left and what no generation names.  Needs the lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import atomic, generations
from .generations import Generation
from .store import export_path, manifest_path, newest_interrupted, run_folders


def collect(root: Path) -> list[str]:
    """Clear scratch folders, unfinished files, runs that cannot go on and everything that no generation names.

    The record before the current one stays as a backup.  Returns the removed paths.
    """
    state = generations.read_current(root)
    return _remove(root, [*_scraps(root, state), *_unnamed(root, state)])


def _scraps(root: Path, state: Generation) -> Iterator[Path]:
    yield from (root / "tmp").iterdir()
    for folder in (root, *(root / name for name in ("generations", "manifests", "adapters", "replay", "reports"))):
        yield from folder.glob(f"*{atomic.PART}")
    resumable = newest_interrupted(root, state)
    for place, (number, folder) in enumerate(run_folders(root).items()):
        if resumable and number == resumable.id:
            yield from (path for path in folder.iterdir() if path.name not in ("manifest.json", "work"))
        elif place == 0 and number > state.last_run:
            # The newest run's empty folder stays, so that its number is not given out twice.
            yield from folder.iterdir()
        else:
            yield folder


def _unnamed(root: Path, state: Generation) -> Iterator[Path]:
    records = {generations.record_path(root, number) for number in (state.number - 1, state.number)}
    yield from _others(root / "generations", records)
    yield from _others(root / "adapters", {root / "adapters" / v.adapter for v in state.versions})
    yield from _others(root / "manifests", {manifest_path(root, v.manifest) for v in state.versions})
    yield from _others(root / "replay", {root / "replay" / v.replay for v in state.versions})
    exports = {export_path(root, export.version, export.name) for export in state.exports}
    yield from _others(root / "exports", {path.parent for path in exports})
    for folder in {path.parent for path in exports}:
        yield from _others(folder, exports)


def _others(folder: Path, named: set[Path]) -> Iterator[Path]:
    yield from (path for path in folder.iterdir() if path not in named and not path.name.endswith(atomic.PART))


def _remove(root: Path, paths: list[Path]) -> list[str]:
    removed = []
    for path in paths:
        atomic.remove(path)
        removed.append(path.relative_to(root).as_posix())
    return removed
