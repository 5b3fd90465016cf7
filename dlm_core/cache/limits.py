"""What leaves the cache: entries unused for too long, and the longest unused when it is too large."""

from __future__ import annotations

import sqlite3

from .database import transaction
from .large import remove_strays

_LEAST = 64 * 1024  # bytes removed at a time: rows leave pages half empty, so a little more goes than is asked for


def size_of(database: sqlite3.Connection) -> int:
    """Bytes in use: whole pages, but for those that are free, and files."""
    pages, free, page = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    files = database.execute("SELECT coalesce(sum(value), 0) FROM rows WHERE typeof(value) = 'integer'").fetchone()[0]
    return int((pages - free) * page + files)


def remove_unused(database: sqlite3.Connection, before: int) -> int:
    """Remove what was last used before this time, in microseconds since 1970.  Returns how many rows."""
    oldest = database.execute("SELECT min(used) FROM rows").fetchone()[0]
    if oldest is None or oldest >= before:
        return 0
    with transaction(database):
        removed = database.execute("DELETE FROM rows WHERE used < ?", (before,)).rowcount
    _give_back(database)
    return int(removed)


def shrink_to(database: sqlite3.Connection, max_bytes: int) -> int:
    """Remove the longest unused until at most this many bytes are in use.  Returns how many rows.

    Of those used in the same run the newest goes first: a document larger than the cache keeps finding the part of
    it that fits, where losing the oldest first would find nothing ever.
    """
    removed = 0
    while (over := size_of(database) - max_bytes) > 0:
        with transaction(database):
            doomed = _longest_unused(database, max(over, _LEAST))
            database.executemany("DELETE FROM rows WHERE id = ?", doomed)
        if not doomed:
            break
        removed += len(doomed)
    if removed:
        _give_back(database)
    return removed


def remove_all(database: sqlite3.Connection) -> int:
    """Empty the cache.  Returns how many rows it had."""
    with transaction(database):
        removed = database.execute("SELECT count(*) FROM rows").fetchone()[0]
        database.execute("DELETE FROM rows")
        database.execute("DELETE FROM contexts")
    _give_back(database)
    return int(removed)


def _longest_unused(database: sqlite3.Connection, size: int) -> list[tuple[int]]:
    doomed, total = [], 0
    for number, mine in database.execute("SELECT id, size FROM rows ORDER BY used, id DESC"):
        if total >= size:
            break
        doomed.append((number,))
        total += mine
    return doomed


def _give_back(database: sqlite3.Connection) -> None:
    """Return free pages to the system, and room that nothing speaks of."""
    database.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
    remove_strays(database)
