"""The cache itself: what is kept comes back, whatever happens to the file, and what must go goes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from dlm_core.cache import CacheSettings, RowCache
from dlm_core.cache.settings import DAY

HERE = {"rows": "text", "tokenizer": "sha256 1"}
THERE = {"rows": "text", "tokenizer": "sha256 2"}


def name(word: object) -> str:
    return sha256(str(word).encode()).hexdigest()


def values(count: int, size: int = 500, first: int = 0) -> dict[str, bytes]:
    return {name(number): (b"%d " % number) * (size // 4) for number in range(first, first + count)}


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> RowCache:
    return RowCache(CacheSettings(), tmp_path / "cache" / "tokens.sqlite", warnings.append)


def again(cache: RowCache, **settings: int) -> RowCache:
    """The same file, as a later run opens it."""
    return RowCache(CacheSettings(**settings), cache.path, cache._warn)


def change(cache: RowCache, statement: str, *values: object) -> None:
    database = sqlite3.connect(cache.path)
    with database:
        database.execute(statement, values)
    database.close()


def test_what_is_kept_comes_back_under_its_context_only(cache: RowCache) -> None:
    kept = values(1200)
    cache.write(HERE, kept)
    assert cache.read(HERE, kept, bytes) == kept
    assert cache.read(THERE, kept, bytes) == {}
    assert again(cache).read(dict(reversed(HERE.items())), [*kept, name("other")], bytes) == kept
    assert (cache.hits, cache.misses) == (1200, 1200)


def test_a_row_asked_for_twice_is_one_row(cache: RowCache) -> None:
    cache.write(HERE, values(1))
    assert len(cache.read(HERE, [name(0), name(0), name(1)], bytes)) == 1
    assert (cache.hits, cache.misses) == (1, 1)


def test_a_value_that_does_not_serve_counts_as_missing_and_is_replaced(cache: RowCache) -> None:
    def picky(value: bytes) -> bytes:
        if value == b"old":
            raise ValueError("too old")
        return value

    cache.write(HERE, {name(0): b"old", name(1): b"new"})
    assert cache.read(HERE, [name(0), name(1)], picky) == {name(1): b"new"}
    assert (cache.hits, cache.misses) == (1, 1)
    cache.write(HERE, {name(0): b"new"})
    assert len(cache.read(HERE, [name(0), name(1)], picky)) == 2


@pytest.mark.parametrize("harm", ["value = X'00'", "value = value || 'x'", "crc = crc + 1", "value = ''"])
def test_a_changed_value_is_not_believed(cache: RowCache, harm: str) -> None:
    cache.write(HERE, values(3))
    change(cache, f"UPDATE rows SET {harm} WHERE id = 2")
    assert set(cache.read(HERE, values(3), bytes)) == {name(0), name(2)}
    cache.write(HERE, values(3))
    assert cache.read(HERE, values(3), bytes) == values(3)


def test_a_value_under_another_row_is_not_believed(cache: RowCache) -> None:
    cache.write(HERE, values(2))
    change(
        cache,
        "UPDATE rows SET value = (SELECT value FROM rows WHERE id = 1), crc = (SELECT crc FROM rows WHERE id = 1)",
    )
    assert set(cache.read(HERE, values(2), bytes)) == {name(0)}


@pytest.mark.parametrize("harm", [b"", b"no database" * 500, None])
def test_a_damaged_file_is_set_aside_and_begun_anew(cache: RowCache, warnings: list[str], harm: bytes | None) -> None:
    cache.write(HERE, values(400))
    whole = cache.path.read_bytes()
    torn = whole[:4096] + os.urandom(len(whole) - 4096)  # the header is right, nothing else
    cache.path.write_bytes(torn if harm is None else harm)
    assert cache.read(HERE, values(400), bytes) == {}
    cache.write(HERE, values(400))
    assert cache.read(HERE, values(400), bytes) == values(400)
    if harm != b"":
        (warning,) = warnings
        assert "damaged" in warning
        assert cache.path.with_name("tokens.sqlite.damaged").exists()


def test_a_file_of_a_newer_dlm_is_left_alone(cache: RowCache, warnings: list[str]) -> None:
    cache.write(HERE, values(1))
    change(cache, "PRAGMA user_version = 99")
    before = cache.path.read_bytes()
    cache.write(HERE, values(2))
    assert cache.read(HERE, values(2), bytes) == {}
    assert cache.path.read_bytes() == before
    assert len(warnings) == 1


def test_no_place_for_the_file_is_a_warning(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = RowCache(CacheSettings(), tmp_path / "file" / "tokens.sqlite", warnings.append)
    cache.write(HERE, values(1))
    assert cache.read(HERE, values(1), bytes) == {}
    assert len(warnings) == 1


def test_the_longest_unused_goes_first_and_the_file_shrinks(cache: RowCache) -> None:
    for first in (0, 400, 800):
        again(cache).write(HERE, values(400, first=first))
    large = cache.path.stat().st_size
    limit = large * 3 // 4
    again(cache, max_bytes=limit).read(HERE, values(400), bytes)  # the first are used again
    last = again(cache, max_bytes=limit)
    last.write(HERE, values(1, first=5000))
    assert cache.path.stat().st_size <= limit
    assert len(last.read(HERE, values(400), bytes)) == 400
    assert len(last.read(HERE, values(400, first=400), bytes)) < 400
    assert len(last.read(HERE, values(400, first=800), bytes)) == 400
    assert last.read(HERE, [name(5000)], bytes)


def test_rows_that_do_not_fit_leave_those_of_the_same_run_alone(cache: RowCache) -> None:
    small = again(cache, max_bytes=300_000)
    found = []
    for _ in range(3):
        run = again(cache, max_bytes=300_000)
        for first in range(0, 2000, 500):
            some = values(500, first=first)
            here = run.read(HERE, some, bytes)
            run.write(HERE, {key: value for key, value in some.items() if key not in here})
        found.append(run.hits)
    assert found[0] == 0
    assert min(found[1:]) > 280
    assert small.path.stat().st_size <= 300_000


def test_what_was_not_used_for_long_goes(cache: RowCache) -> None:
    cache.write(HERE, values(20))
    change(cache, "UPDATE rows SET used = used - ? WHERE id <= 10", 40 * DAY)
    assert len(again(cache, prune_older_than_days=60).read(HERE, values(5), bytes)) == 5  # used now
    assert len(again(cache, prune_older_than_days=30).read(HERE, values(20), bytes)) == 15


WRITER = """
import sys
from pathlib import Path
from dlm_core.cache import CacheSettings, RowCache
from tests.cache.test_row_cache import HERE, values
cache = RowCache(CacheSettings(), Path(sys.argv[1]), lambda text: sys.exit(text))
for first in range(0, 2000, 50):
    some = values(50, first=first + 25 * int(sys.argv[2]))
    here = cache.read(HERE, some, bytes)
    assert all(some[key] == value for key, value in here.items())
    cache.write(HERE, some)
"""


def test_two_processes_write_at_once(cache: RowCache) -> None:
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(cache.path), str(number)], cwd=root) for number in range(2)
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    assert cache.read(HERE, values(2025), bytes) == values(2025)
    database = sqlite3.connect(cache.path)
    assert database.execute("SELECT count(*) FROM rows").fetchone() == (2025,)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
