"""Folders named by their content: listing, hashing and comparing them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from ..api import RunFailedError
from . import atomic

#: Relative path with `/` -> (bytes, sha256) of every file below a folder.
Listing = dict[str, tuple[int, str]]


@atomic.typed
def list_folder(folder: Path) -> Listing:
    """Every file below `folder`, sorted by path, with its size and hash.

    Raises RunFailedError when something there is neither a file nor a folder.
    """
    found = {}
    for path in sorted(_files(folder)):
        found[path.relative_to(folder).as_posix()] = (path.stat().st_size, _file_hash(path))
    return dict(sorted(found.items()))


def listing_hash(files: Mapping[str, tuple[int, str]]) -> str:
    """The hash of a whole folder: SHA-256 over the JSON of its listing."""
    return sha256(encode({path: list(info) for path, info in files.items()}))


def encode(value: Any) -> bytes:
    """JSON with sorted keys and a final newline.  Raises ValueError on NaN and infinity."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain, indent=1)
    return text.encode() + b"\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@atomic.typed
def differences(folder: Path, files: Mapping[str, tuple[int, str]], read_data: bool) -> list[str]:
    """What is missing, changed or too much in `folder`, one sentence a file.  Sizes only without `read_data`."""
    return list(_differences(folder, files, read_data))


def _differences(folder: Path, files: Mapping[str, tuple[int, str]], read_data: bool) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{folder}: is missing"
        return
    there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    for name in sorted(there.keys() - files.keys()):
        yield f"{folder / name}: does not belong there"
    for name, (size, digest) in files.items():
        if name not in there:
            yield f"{folder / name}: is missing"
        elif there[name].stat().st_size != size:
            yield f"{folder / name}: has {there[name].stat().st_size} bytes instead of {size}"
        elif read_data and _file_hash(there[name]) != digest:
            yield f"{folder / name}: its content has changed"


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder, onerror=_raise):
        for name in folders + names:
            path = Path(here, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise RunFailedError(f"{path} is neither a file nor a folder", "Remove it and run the command again.")
        yield from (Path(here, name) for name in names)


def _raise(error: OSError) -> None:
    raise error


def _plain(value: Any) -> Any:
    """What JSON does not know but manifests may hold."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a manifest cannot hold {type(value).__name__}")
