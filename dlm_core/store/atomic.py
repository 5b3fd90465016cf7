"""Every change the store makes on disk, made durable: write, fsync, rename, fsync the folder.

No other module of this package changes a file or a folder (SQLite apart), so a fault test sees every call here.
"""

# A fault test puts itself in the place of `os` here, which pathlib would bypass.
# ruff: noqa: PTH102, PTH104, PTH105, PTH106, PTH108

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ..api import RunFailedError

P = ParamSpec("P")
R = TypeVar("R")

#: A file or folder with this suffix is unfinished and belongs to whoever holds the lock.
PART = ".part"

_CHUNK = 1 << 20
_HINTS = {
    errno.ENOSPC: "Free some space on that disk and run the command again; what was there before is untouched.",
    errno.EDQUOT: "Your disk quota is used up; free some space and run the command again.",
    errno.EFBIG: "A file-size limit (`ulimit -f`) is in the way; raise it and run the command again.",
    errno.EROFS: "That file system is mounted read-only; set DLM_HOME to a folder you can write to.",
    errno.EACCES: "Check who owns that folder, or set DLM_HOME to a folder you can write to.",
    errno.EPERM: "Check who owns that folder, or set DLM_HOME to a folder you can write to.",
    errno.EIO: "The disk reported an error; check its health before you go on.",
}


class StoreError(RunFailedError):
    """The operating system refused something the store had to read or write.  The last generation is untouched."""

    def __init__(self, error: OSError, path: Path) -> None:
        reason = (error.strerror or str(error)).lower()
        hint = _HINTS.get(error.errno) if error.errno is not None else None
        super().__init__(f"cannot use {path}: {reason}", hint)
        self.errno = error.errno


def typed(function: Callable[Concatenate[Path, P], R]) -> Callable[Concatenate[Path, P], R]:
    """Turn an OSError into a StoreError that names the path."""

    @functools.wraps(function)
    def inner(path: Path, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(path, *args, **kwargs)
        except OSError as error:
            raise StoreError(error, Path(error.filename or path)) from error

    return inner


@typed
def write_file(path: Path, data: bytes) -> None:
    """Create or replace a file: after a crash it holds the old bytes or the new ones.  Needs the lock."""
    part = path.with_name(path.name + PART)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(part, path)
    _sync(path.parent)


@typed
def make_folder(path: Path) -> None:
    """Create a folder and its missing parents durably; one that exists is left as it is."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        os.mkdir(folder)
        _sync(folder.parent)


@typed
def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    _sync(path)


@typed
def sync_tree(folder: Path) -> None:
    """Make a folder's files, and every name below it, durable.  Libraries do not sync what they save."""
    for path in sorted(folder.iterdir()):
        kind = os.lstat(path).st_mode
        if stat.S_ISDIR(kind):
            sync_tree(path)
        elif stat.S_ISREG(kind):
            _sync(path)
    _sync(folder)


@typed
def move(source: Path, target: Path) -> None:
    """Rename a synced file or folder to a free name, durably; copies when it lies on another file system."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(target.name + PART)
        remove(part)
        _copy(source, part)
        os.rename(part, target)
        _sync(target.parent)
        remove(source)
        return
    _sync(target.parent)


@typed
def remove(path: Path) -> None:
    """Delete a file or a whole folder; links are not followed, and what is missing is no error.

    Deletions are not synced: what comes back after a power cut is garbage again and is collected again.
    """
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            for child in sorted(path.iterdir()):
                remove(child)
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return


@typed
def open_lock(path: Path) -> int:
    """Open a lock file, made when it is missing; it is never unlinked.  Returns a descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def write_holder(descriptor: int, text: str) -> None:
    """Note in the lock file who holds it.  Only a waiting message reads that, so a full disk is no reason to stop."""
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())
    except OSError:
        return


@typed
def read_file(path: Path) -> bytes:
    """A file's bytes."""
    return path.read_bytes()


def read_if_there(path: Path) -> bytes | None:
    """A file's bytes, or None when there is no such file."""
    try:
        return read_file(path)
    except StoreError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        os.mkdir(target)
        for child in sorted(source.iterdir()):
            _copy(child, target / child.name)
        _sync(target)
        return
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                write_all(descriptor, chunk)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
