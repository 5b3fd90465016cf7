"""The cache's SQLite file: opened for one piece of work, made when it is missing, set aside when it is damaged."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..store.lock import hold
from .large import folder_beside, forget_file

T = TypeVar("T")

VERSION = 2

#: `used` is when the run that used a row last began, in microseconds since 1970.
#: `value` stands last: what is only about sizes and ages never reads it.
_TABLES = """
CREATE TABLE contexts (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, parts TEXT NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, context INTEGER NOT NULL, row BLOB NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL,
    crc INTEGER NOT NULL, value BLOB NOT NULL);
CREATE UNIQUE INDEX by_row ON rows (row, context);
CREATE INDEX by_use ON rows (used, id, size, context);
"""

#: What version 2 added: a row with a whole number in the value's place has its value in a file, which goes with it.
_FILES = """
CREATE INDEX by_file ON rows (value) WHERE typeof(value) = 'integer';
CREATE TRIGGER file_goes AFTER DELETE ON rows WHEN typeof(old.value) = 'integer'
BEGIN SELECT forget_file(old.context, old.row); END
"""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SECONDS_TO_WAIT = 20.0


def work_on(path: Path, work: Callable[[sqlite3.Connection], T], warn: Callable[[str], None]) -> T | None:
    """What `work` returns; None, after a warning, when the file cannot be used.  A damaged file is replaced."""
    for _ in range(2):
        seen = _identity(path)
        try:
            with connected(path) as database:
                return work(database)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
                warn(f"the cache {path} is not used: {error}")
                return None
            if not _set_aside(path, seen, str(error), warn):
                return None
        except OSError as error:
            warn(f"the cache {path} is not used: {error}")
            return None
    return None


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection with the tables in place, closed at the end.  Raises sqlite3.Error or OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = NORMAL")
        database.create_function("forget_file", 2, partial(forget_file, folder_beside(path)))
        if _version(database) != VERSION:
            _make_tables(database)
        yield database
    finally:
        database.close()


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Everything in the block or nothing of it; waits for other writers."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _make_tables(database: sqlite3.Connection) -> None:
    _refuse_newer(database)
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before anything is written, or it has no effect
    database.execute("PRAGMA journal_mode = WAL")
    with transaction(database):
        _refuse_newer(database)
        if (found := _version(database)) < VERSION:  # another process may have been faster
            for statement in _TABLES.split(";") if found == 0 else ():
                database.execute(statement)
            index, trigger = _FILES.split(";", 1)
            database.execute(index)
            database.execute(trigger)
            database.execute(f"PRAGMA user_version = {VERSION}")


def _refuse_newer(database: sqlite3.Connection) -> None:
    if (found := _version(database)) > VERSION:
        raise sqlite3.OperationalError(f"it was made by a newer dlm (version {found} of its tables)")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def _set_aside(path: Path, seen: tuple[int, int] | None, reason: str, warn: Callable[[str], None]) -> bool:
    """Give a damaged file another name, unless another process did so meanwhile; whether a new one can be made."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        with hold(path.with_name("lock")):
            if seen is not None and _identity(path) == seen:
                path.replace(aside)
                for suffix in ("-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
                shutil.rmtree(folder_beside(path), ignore_errors=True)
                warn(f"the cache was damaged ({reason}); it is now {aside}, and a new one was begun")
        return True
    except Exception as error:  # a cache is no reason to stop
        warn(f"the cache {path} is damaged ({reason}) and cannot be set aside: {error}")
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
