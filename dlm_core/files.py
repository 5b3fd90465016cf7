"""For plugins: files that are whole or absent after a crash or a power cut, and where DLM keeps its own.

A file that another program may read is written beside its place, synced, and renamed.  Every function raises a plain
OSError, so that the caller says what failed and what to do about it.
"""

from __future__ import annotations

import os
from pathlib import Path


def default_home() -> Path:
    """The folder of the store, caches and accepted licences: `$DLM_HOME`, or `~/.dlm`."""
    return expand_home(os.environ.get("DLM_HOME") or "~/.dlm")


def expand_home(text: str) -> Path:
    """The path with a leading `~` or `~user` replaced; a user that is not known here leaves it as written."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (pathlib's raises for an unknown user)


def shown_path(path: str, document: Path) -> Path:
    """The path of a file that a document names, as one opens it from the current folder: from there, or the whole path
    where the document was named by its whole path and the file is not below the current folder."""
    if not os.path.isabs(path):  # noqa: PTH117 (a string until here)
        return Path(path)
    near = os.path.relpath(path, os.path.realpath(os.curdir))
    return Path(path if document.is_absolute() and near.startswith(os.pardir) else near)


def write_file(path: Path, data: bytes) -> None:
    """Create or replace a file: after a crash it holds the old bytes or the new ones."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        sync(part)
        rename(part, path)
    finally:
        part.unlink(missing_ok=True)


def rename(source: Path, target: Path) -> None:
    """Give a synced file or folder its name, durably.  A file that has the name already is replaced."""
    source.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Make a file's bytes, or the names in a folder, durable; a folder only where the system knows how."""
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make a folder's files, and every name below it, durable.  Libraries do not sync what they save."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            sync_tree(path)
        elif path.is_file():
            sync(path)
    sync(folder)
