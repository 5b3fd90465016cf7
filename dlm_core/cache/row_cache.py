"""The cache as engines and trainers see it."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from sqlite3 import OperationalError
from typing import TYPE_CHECKING, Any, TypeVar
from zlib import crc32

from .database import transaction, work_on
from .large import LARGE, folder_beside, name_of, read_file, write_file
from .limits import remove_unused, shrink_to, size_of
from .settings import DAY, CacheSettings, cache_path

if TYPE_CHECKING:
    import sqlite3

    from ..api import Control

T = TypeVar("T")

#: What is kept of a row, as it is read; the file of a large one is mapped.
Value = bytes | memoryview

Context = Mapping[str, str]
"""Everything beside the row that decides what is made of it, by name."""

_ASKED_AT_ONCE = 500  # rows named in one query
_OVERHEAD = 64  # bytes of a row beside its value, in the table and its indexes


class RowCache:
    """Reads and writes what was made of rows.  `hits` and `misses` count rows since they were last told.

    It holds no open file: it may be kept for as long as is convenient, and used after a fork.
    """

    def __init__(
        self, settings: CacheSettings, path: Path | None = None, warn: Callable[[str], None] = lambda message: None
    ) -> None:
        self.settings, self.path = settings, path or cache_path()
        self.hits = self.misses = 0
        self._began = time.time_ns() // 1000
        self._warn = warn
        self._warned: set[str] = set()
        self._reads: Counter[bytes] = Counter()
        self._is_pruned = False
        self._whole: set[tuple[int, bytes]] = set()

    def read(self, context: Context, names: Iterable[str], decode: Callable[[Value], T]) -> dict[str, T]:
        """What is kept of the rows that are named by their hash, as `decode` reads it; others are missing.

        `decode` raises ValueError, with the reason, for a value that does not serve: the row then counts as missing.
        """
        wanted = list(dict.fromkeys(names))
        values = self._work(lambda database: self._read(database, context, wanted)) or {}
        found = {}
        for name, value in values.items():
            try:
                found[name] = decode(value)
            except ValueError as error:
                self.refused(context, name, str(error))
        self.hits += len(found)
        self.misses += len(wanted) - len(found)
        self._reads[digest_of(context)] += len(found)
        return found

    def write(self, context: Context, values: Mapping[str, bytes]) -> None:
        """Keep values by the hash of their rows, in place of older ones, and hold the cache to its size."""
        if values:
            self._work(lambda database: self._write(database, context, values))

    def tell(self, control: Control, stage: str) -> None:
        """Emit the event `cache`: how many rows were found and how many were not, since this was last called."""
        if self.hits or self.misses:
            control.emit("cache", stage=stage, hits=self.hits, misses=self.misses)
            self._work(self._note_reads)
        self.hits = self.misses = 0

    def to_json(self) -> dict[str, Any]:
        """The settings, all that another process needs to use the same cache."""
        return asdict(self.settings)

    def refused(self, context: Context, name: str, reason: str) -> None:
        """Told of each value that `decode` refused."""

    # -- with the database open ---------------------------------------------------------------------

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        return work_on(self.path, work, self._warn_once)

    def _read(self, database: sqlite3.Connection, context: Context, names: Sequence[str]) -> dict[str, Value]:
        self._prune(database)
        number = database.execute("SELECT id FROM contexts WHERE digest = ?", (digest_of(context),)).fetchone()
        if number is None:
            return {}
        by_key = {key_of(name): name for name in names}
        keys, stale_before = list(by_key), self._stale_before(database)
        values: dict[str, Value] = {}
        folder = folder_beside(self.path)
        stale: list[int] = []
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            asked = keys[start : start + _ASKED_AT_ONCE]
            query = f"SELECT row, value, crc, used, id FROM rows WHERE row IN ({_marks(asked)}) AND context = ?"
            for key, value, crc, used, place in database.execute(query, (*asked, number[0])):
                known = False
                if isinstance(value, int):
                    value = read_file(folder, name_of(number[0], key), value)
                    known = value is not None and (number[0], key) in self._whole
                if isinstance(value, bytes | memoryview) and (known or crc32(value, crc32(key)) == crc):
                    if isinstance(value, memoryview):  # that of a large one is computed once
                        self._whole.add((number[0], key))
                    values[by_key[key]] = value
                    if used < stale_before:
                        stale.append(place)
        if stale:
            with suppress(OperationalError), transaction(database):
                touched = ((self._began, place) for place in stale)
                database.executemany("UPDATE rows SET used = ? WHERE id = ?", touched)
        return values

    def _write(self, database: sqlite3.Connection, context: Context, values: Mapping[str, bytes]) -> None:
        self._prune(database)
        folder = folder_beside(self.path)
        with transaction(database):
            number = _context_number(database, context)
            rows: list[tuple[int, bytes, int, int, int, bytes | int]] = []
            for name, value in values.items():
                key, is_large = key_of(name), len(value) > LARGE
                if is_large:
                    write_file(folder, name_of(number, key), value)
                check, held = crc32(value, crc32(key)), len(value) if is_large else value
                rows.append((number, key, len(value) + _OVERHEAD, self._began, check, held))
            database.executemany(_KEEP, rows)
        shrink_to(database, self.settings.max_bytes)

    def _note_reads(self, database: sqlite3.Connection) -> None:
        with transaction(database):
            database.executemany(
                "UPDATE contexts SET hits = hits + ? WHERE digest = ?",
                [(count, digest) for digest, count in self._reads.items() if count],
            )
        self._reads.clear()
        shrink_to(database, self.settings.max_bytes)

    def _stale_before(self, database: sqlite3.Connection) -> int:
        """Rows used before this time are noted as used now: all of them once space gets short, else once a day."""
        return self._began - (0 if 2 * size_of(database) > self.settings.max_bytes else DAY)

    def _prune(self, database: sqlite3.Connection) -> None:
        if not self._is_pruned:
            self._is_pruned = True
            remove_unused(database, self._began - self.settings.prune_older_than_days * DAY)

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)


_KEEP = """
INSERT INTO rows (context, row, size, used, crc, value) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (row, context) DO UPDATE SET size = excluded.size, used = excluded.used, crc = excluded.crc,
    value = excluded.value
"""


def digest_of(context: Context) -> bytes:
    """A context's name in the database: 16 bytes of its SHA-256."""
    text = json.dumps(dict(context), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[:16]


def key_of(name: str) -> bytes:
    """A row's name in the database: 16 bytes of its hash."""
    return bytes.fromhex(name[:32])


def _context_number(database: sqlite3.Connection, context: Context) -> int:
    parts = json.dumps(dict(context), ensure_ascii=False, sort_keys=True)
    digest = digest_of(context)
    database.execute("INSERT OR IGNORE INTO contexts (digest, parts) VALUES (?, ?)", (digest, parts))
    number: int = database.execute("SELECT id FROM contexts WHERE digest = ?", (digest,)).fetchone()[0]
    return number


def _marks(values: Sequence[bytes]) -> str:
    return ",".join("?" * len(values))
