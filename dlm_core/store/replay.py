"""Segments of the replay store: what each version knows of its rows.  A segment's name is the hash of its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import atomic, objects
from .generations import DamagedStoreError, VersionRecord

FOLDER = "replay"


def segment_path(root: Path, digest: str) -> Path:
    return root / FOLDER / digest


def write_segment(root: Path, data: bytes) -> str:
    """Put a segment on disk, durably, and give its name.  Nothing names it until a generation does."""
    digest = objects.sha256(data)
    atomic.write_file(segment_path(root, digest), data)
    return digest


def read_segment(root: Path, record: VersionRecord) -> bytes:
    """A version's segment.  Raises DamagedStoreError when it is missing or was changed."""
    path = segment_path(root, record.replay)
    data = atomic.read_if_there(path)
    if data is None or objects.sha256(data) != record.replay:
        what = "is missing" if data is None else "was changed"
        hint = "Train from the base with `dlm run --fresh`, or `dlm rollback` to another version."
        raise DamagedStoreError(f"what version {record.number} knows of its rows, {path}, {what}", hint)
    return data


def problems(root: Path, record: VersionRecord, read_data: bool) -> Iterator[str]:
    """What is wrong with a version's segment, one sentence."""
    if not record.replay:
        return  # made before there were segments
    path = segment_path(root, record.replay)
    if not path.is_file():
        yield f"{path}: is missing"
    elif read_data and objects.sha256(atomic.read_file(path)) != record.replay:
        yield f"{path}: its content has changed"
