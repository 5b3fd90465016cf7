"""Make room in the cache now, without a run."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from .database import work_on
from .limits import remove_all, remove_unused, shrink_to, size_of
from .settings import DAY, cache_path

Warn = Callable[[str], None]


def prune(days: int | None, max_bytes: int | None, warn: Warn) -> tuple[int, int]:
    """Remove what was not used for `days`, then the longest unused beyond `max_bytes`; None leaves either alone.

    Returns how many rows went and how many bytes are left.
    """

    def work(database: sqlite3.Connection) -> int:
        removed = 0 if days is None else remove_unused(database, time.time_ns() // 1000 - days * DAY)
        return removed + (0 if max_bytes is None else shrink_to(database, max_bytes))

    return _in_cache(work, warn)


def clear(warn: Warn) -> tuple[int, int]:
    """Remove everything.  Returns how many rows went and how many bytes are left."""
    return _in_cache(remove_all, warn)


def _in_cache(work: Callable[[sqlite3.Connection], int], warn: Warn) -> tuple[int, int]:
    path = cache_path()
    if not path.exists():
        return 0, 0
    return work_on(path, lambda database: (work(database), size_of(database)), warn) or (0, 0)
