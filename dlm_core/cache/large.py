"""Large values: files beside the database, mapped when they are read.  In it they took ten times as long."""

from __future__ import annotations

import mmap
import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

#: Values of more bytes have a file; their row holds their length in the value's place.
LARGE = 1 << 18


def folder_beside(path: Path) -> Path:
    """Where the files of a cache lie."""
    return path.with_name(f"{path.name}.files")


def folder_of(database: sqlite3.Connection) -> Path:
    return folder_beside(Path(database.execute("PRAGMA database_list").fetchone()[2]))


def name_of(context: int, row: bytes) -> str:
    return f"{context}-{row.hex()}"


def write_file(folder: Path, name: str, value: bytes) -> None:
    """Write a value whole or not at all.  Raises OSError."""
    folder.mkdir(exist_ok=True)
    part = folder / f"{name}.{os.getpid()}.part"
    try:
        part.write_bytes(value)
        part.replace(folder / name)
    finally:
        part.unlink(missing_ok=True)


def read_file(folder: Path, name: str, length: int) -> memoryview | None:
    """The value of so many bytes; None when its file is gone or of another length."""
    try:
        with (folder / name).open("rb") as file:
            if os.fstat(file.fileno()).st_size != length:
                return None
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return None


def forget_file(folder: Path, context: int, row: bytes) -> None:
    with suppress(OSError):
        (folder / name_of(context, row)).unlink()


def remove_strays(database: sqlite3.Connection) -> None:
    """Remove files that no row speaks of: those of a process that was killed between file and row."""
    folder = folder_of(database)
    query = "SELECT context, row FROM rows WHERE typeof(value) = 'integer'"
    known = {name_of(context, row) for context, row in database.execute(query)}
    if not known:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.glob("*"):
        if path.name not in known and not path.name.endswith(".part"):
            with suppress(OSError):
                path.unlink()
