"""Open a file of a source and know, from what was opened, that it is the file that was meant."""

# Strings, not Path objects: this is run for every file of a tree.
# ruff: noqa: PTH115, PTH116

from __future__ import annotations

import errno
import os
import stat
import sys

_PLAIN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_LINK = _PLAIN | os.O_NOFOLLOW
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class MovedError(ValueError):
    """What was opened is not what was listed."""


class TooLargeError(ValueError):
    """A file of more bytes than its source takes."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(f"{size} bytes, more than max_bytes_per_file={most}")


def open_regular(path: str, follow: bool) -> tuple[int, os.stat_result, str]:
    """A descriptor, its state, and the path without links of what it is open on.  Never waits for a pipe.

    Without `follow`, `path` has no link in it and what is opened is at that very path: a file or a folder above it
    that became a link since it was listed raises MovedError.  Raises OSError, and ValueError for what is no file.
    """
    descriptor = _open(path, _PLAIN if follow else _NO_LINK)
    try:
        state = _regular(descriptor)
        real = real_path(descriptor, path)
        if not follow and real != path:
            raise MovedError("it was moved since it was listed")
        return descriptor, state, real
    except BaseException:
        os.close(descriptor)
        raise


def read_in(folder: int, name: str, but: tuple[int, int] | None, most: int | None) -> bytes | None:
    """All bytes of a file, no link, right in an open folder: nothing above it can change what is meant.

    None for the file that `but` is the device and number of.  Raises OSError, MovedError, TooLargeError for one of
    more than `most` bytes, and ValueError for what is no file.  Written out: it is run for every file of a tree.
    """
    try:
        descriptor = os.open(name, _NO_LINK, dir_fd=folder)
    except OSError as error:
        raise _moved(error) from None
    try:
        state = os.fstat(descriptor)
        size = state.st_size
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("not a regular file")
        if but is not None and state.st_ino == but[1] and state.st_dev == but[0]:
            return None
        if most and size > most:
            raise TooLargeError(size, most)
        data = os.read(descriptor, size + 1)
        return data if len(data) == size else read_rest(descriptor, data)
    finally:
        os.close(descriptor)


def open_folder(path: str) -> int:
    """A descriptor of the folder at this very path, which has no link in it.  Raises OSError or MovedError."""
    descriptor = _open(path, _FOLDER)
    if real_path(descriptor, path) != path:
        os.close(descriptor)
        raise MovedError("it was moved since it was listed")
    return descriptor


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError as error:
        raise (_moved(error) if flags & os.O_NOFOLLOW else error) from None


def _moved(error: OSError) -> Exception:
    """What an error of opening without following links means."""
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return MovedError("it became a link since it was listed")
    return error


def _regular(descriptor: int) -> os.stat_result:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("not a regular file")
    return state


def read_open(descriptor: int, size: int) -> bytes:
    """All bytes of a file; `size` is what it is thought to have."""
    data = os.read(descriptor, size + 1)
    return data if len(data) == size else read_rest(descriptor, data)


def read_rest(descriptor: int, data: bytes) -> bytes:
    """`data` and all that follows it."""
    parts = [data]
    while data:
        data = os.read(descriptor, 1 << 20)
        parts.append(data)
    return b"".join(parts)


def read_small(path: str, most: int) -> bytes:
    """A rule file: no link, no more than `most` bytes.  Raises OSError or ValueError."""
    descriptor, state, _ = open_regular(path, follow=False)
    try:
        if state.st_size > most:
            raise ValueError(f"{state.st_size} bytes, more than {most}")
        return read_open(descriptor, state.st_size)
    finally:
        os.close(descriptor)


def real_path(descriptor: int, path: str) -> str:
    """Where an open file or folder lies, without links, as the system knows it."""
    if sys.platform == "linux":
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:
            pass  # no /proc here
    if sys.platform == "darwin":
        import fcntl

        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    real = os.path.realpath(path)
    if not os.path.samestat(os.fstat(descriptor), os.stat(real)):
        raise MovedError("it was moved since it was listed")
    return real


def mount_points() -> frozenset[str]:
    """The folders and files on which something is mounted; empty where the system does not say."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            fields = [line.split(" ")[4] for line in file]
    except OSError:
        return frozenset()
    return frozenset(_unescaped(field) for field in fields)


def _unescaped(field: str) -> str:
    """The kernel writes blanks, tabs, line ends and backslashes of a path as `\\040` and the like."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
