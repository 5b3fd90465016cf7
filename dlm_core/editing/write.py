"""Put a changed document in the place of the old one: all of it or nothing, and never over somebody else's change."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from ..api import DlmError
from ..store.atomic import sync_folder, write_all


def write_document(path: Path, data: bytes, before: bytes) -> None:
    """Replace the document's bytes, which were `before` when it was read.

    After a crash the file holds the old bytes or the new ones.  Its mode is kept, its owner where the system allows;
    of a link, the file it leads to is replaced.  Raises DlmError when the file is read-only, has changed since it was
    read, or cannot be written; it is untouched then.
    """
    try:
        target = path.resolve(strict=True)
        status = target.stat()
        if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
            raise DlmError(f"{path} is read-only", f"chmod u+w {path}")
        if data != before:
            _replace(target, data, before, status)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DlmError(f"cannot write {path}: {reason}", "nothing was changed") from error


def write_backup(path: Path, data: bytes) -> Path:
    """Keep the bytes of a document beside it, as `NAME.bak` or the first free `NAME.bak.N`; where they are.

    Raises DlmError when they cannot be written.
    """
    target = path.resolve()
    number = 0
    while True:
        backup = target.with_name(f"{target.name}.bak{f'.{number}' if number else ''}")
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            if backup.is_file() and backup.read_bytes() == data:
                return backup
            number += 1
            continue
        except OSError as error:
            raise DlmError(f"cannot write {backup}: {(error.strerror or str(error)).lower()}") from error
        _fill(descriptor, data)
        sync_folder(backup.parent)
        return backup


def _replace(target: Path, data: bytes, before: bytes, status: os.stat_result) -> None:
    descriptor, name = tempfile.mkstemp(".part", f".{target.name}.", target.parent)
    part = Path(name)
    try:
        with contextlib.suppress(OSError):
            os.chown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        _fill(descriptor, data)
        if target.read_bytes() != before:
            raise DlmError(f"{target} has changed since it was read", "look at it and run the command again")
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _fill(descriptor: int, data: bytes) -> None:
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
