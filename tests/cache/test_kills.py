"""The cache is killed while it reads, writes and shrinks: what was kept stays, and nothing is there twice or wrong."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

from dlm_core.cache import CacheSettings, RowCache
from tests.store.samples import exit_code, forked

from .test_row_cache import HERE, values

BATCH = 200
ROUNDS = 30


def fill(path: Path, told: int, max_bytes: int) -> int:
    """Write batch after batch, and tell the number of each that is kept."""
    cache = RowCache(CacheSettings(max_bytes=max_bytes), path, lambda text: os._exit(3))
    for number in range(ROUNDS):
        some = values(BATCH, first=number * BATCH)
        cache.write(HERE, some)
        os.write(told, b"%d\n" % number)
        if cache.read(HERE, some, bytes) != some:
            return 4
    return 0


def kill(batches: int, seconds: float, path: Path, max_bytes: int) -> tuple[int, int]:
    """Exit code of a process that was killed so long after it kept so many batches, and how many it told in all."""
    reader, writer = os.pipe()
    pid = forked(lambda: fill(path, writer, max_bytes))
    os.close(writer)
    with os.fdopen(reader) as lines:
        for _ in range(batches):
            lines.readline()
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        return exit_code(pid), batches + len(lines.readlines())


def look(path: Path) -> int:
    """How many rows there are, none of them twice, in a file that is whole."""
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows, different = database.execute("SELECT count(*), count(DISTINCT row) FROM rows").fetchone()
        assert rows == different
        assert database.execute("SELECT count(*) FROM contexts").fetchone() <= (1,)
        return int(rows)
    finally:
        database.close()


def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    warnings: list[str] = []
    started = time.monotonic()
    assert exit_code(forked(lambda: fill(tmp_path / "whole", os.open(os.devnull, os.O_WRONLY), 1 << 30))) == 0
    usual = time.monotonic() - started
    seed = time.time_ns()
    chance = random.Random(seed)
    killed, everything = 0, values(ROUNDS * BATCH)
    for number in range(20):
        path = tmp_path / str(number) / "tokens.sqlite"
        batches = chance.randrange(ROUNDS - 5)
        code, told = kill(batches, chance.uniform(0, 3 * usual / ROUNDS), path, 1 << 30)
        assert code in (0, -signal.SIGKILL), f"seed {seed}"
        killed += code != 0
        cache = RowCache(CacheSettings(), path, warnings.append)
        here = cache.read(HERE, everything, bytes)
        assert here.items() >= values(told * BATCH).items(), f"lost, seed {seed}"
        assert len(here) in (told * BATCH, (told + 1) * BATCH), f"a part of a batch, seed {seed}"
        assert here.items() <= everything.items()
        cache.write(HERE, {name: value for name, value in everything.items() if name not in here})
        assert look(path) == len(everything)
    assert killed > 10, "most are killed on their way"
    assert warnings == []


def test_kills_while_room_is_made(tmp_path: Path) -> None:
    """One file, killed again and again while the oldest rows are removed: whole each time, and held to its size."""
    path, limit = tmp_path / "tokens.sqlite", 600_000
    warnings: list[str] = []
    assert exit_code(forked(lambda: fill(path, os.open(os.devnull, os.O_WRONLY), limit))) in (0, 4)
    seed = time.time_ns()
    chance = random.Random(seed)
    for number in range(20):
        assert kill(chance.randrange(5), chance.uniform(0, 0.03), path, limit)[0] in (0, 4, -signal.SIGKILL), (
            f"seed {seed}"
        )
        look(path)
        cache = RowCache(CacheSettings(max_bytes=limit), path, warnings.append)
        some = values(BATCH, first=1_000_000 + number * BATCH)
        cache.write(HERE, some)
        assert cache.read(HERE, some, bytes) == some, f"seed {seed}"
        assert path.stat().st_size <= limit
    assert warnings == []
