"""Hold everything a store's generation names against its hashes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..api import DlmError
from . import atomic, generations, objects, replay, reports
from .generations import Generation, VersionRecord
from .store import export_path, read_manifest


def problems(root: Path, read_data: bool) -> Iterator[str]:
    """One sentence for each thing that is missing, changed or too much; nothing when the store is whole."""
    try:
        state = generations.read_current(root)
    except DlmError as error:
        yield error.message
        return
    yield from _backup(root, state)
    for version in state.versions:
        yield from _version(root, version, read_data)
        yield from replay.problems(root, version, read_data)
    for export in state.exports:
        yield from objects.differences(export_path(root, export.version, export.name), export.files, read_data)
    if read_data:
        yield from reports.problems(root)


def _version(root: Path, version: VersionRecord, read_data: bool) -> Iterator[str]:
    folder = root / "adapters" / version.adapter
    try:
        listed = read_manifest(root, version)["adapter"]["files"]
    except DlmError as error:
        yield error.message
        if read_data and folder.is_dir() and objects.listing_hash(objects.list_folder(folder)) != version.adapter:
            yield f"{folder}: its content has changed"
        return
    files = {name: (size, digest) for name, (size, digest) in listed.items()}
    yield from objects.differences(folder, files, read_data)


def _backup(root: Path, state: Generation) -> Iterator[str]:
    path = generations.record_path(root, state.number - 1)
    data = atomic.read_if_there(path)
    if data is not None and objects.sha256(data) != state.parent:
        yield f"{path}: its content has changed"
