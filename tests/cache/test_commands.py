"""The cache by way of the command: what runs say of it, what the settings change, and `dlm cache`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dlm_core.cache.settings import DAY
from dlm_core.exam.ask import neutral_texts
from tests.conftest import Desk
from tests.test_json import hold

Copy = Callable[[], tuple[Desk, Path]]
NEUTRAL = len(neutral_texts())
#: Rows of the document of `trained`: a prose, three questions that are trained, and one that is only asked.
ROWS = 5


def told(desk: Desk, *words: object) -> tuple[int, int]:
    """What a run said of the cache: rows that came from it, rows that were tokenized."""
    done = desk.dlm(*words, "--json")
    assert done.code == 0, done.err
    events = [event for event in done.events if event["event"] == "cache"]
    return sum(event["hits"] for event in events), sum(event["misses"] for event in events)


def file_of(desk: Desk) -> Path:
    return desk.home / "cache" / "tokens.sqlite"


def kept(desk: Desk) -> int:
    found: int = desk.dlm("cache", "show", "--json").json["rows"]
    return found


def with_cache(path: Path, setting: str) -> Path:
    path.write_text(path.read_text().replace("training:\n", f"training:\n  cache: {{{setting}}}\n"))
    return path


def test_a_cold_run_tokenizes_every_row_once(trained: tuple[Desk, Path, object]) -> None:
    _desk, _path, result = trained
    assert f"cache    {ROWS + NEUTRAL} rows tokenized, " in result.out  # type: ignore[attr-defined]


def test_a_second_run_tokenizes_nothing(used: Copy) -> None:
    desk, path = used()
    path.write_text(path.read_text().replace("num_epochs: 12", "num_epochs: 1"))
    hits, misses = told(desk, "run", path, "--no-export")
    assert (hits > 2 * ROWS, misses) == (True, 0)
    file_of(desk).unlink()
    hits, misses = told(desk, "run", path, "--no-export")  # nothing changed: only the plan wants to know
    assert (hits, misses) == (0, ROWS)


def test_switched_off_it_is_neither_read_nor_written(used: Copy) -> None:
    desk, path = used()
    assert told(desk, "run", path) == (ROWS, 0)
    assert told(desk, "run", with_cache(path, "enabled: false")) == (0, 0)
    file_of(desk).unlink()
    assert told(desk, "run", path) == (0, 0)
    assert not file_of(desk).exists()


def test_the_largest_size_is_held(used: Copy) -> None:
    desk, path = used()
    assert kept(desk) == ROWS + NEUTRAL
    assert told(desk, "run", with_cache(path, "max_bytes: 1")) == (ROWS, 0)
    assert kept(desk) == 0
    assert told(desk, "run", path) == (0, ROWS)


@pytest.mark.parametrize(("days", "found"), [(30, 0), (50, ROWS)])
def test_what_was_not_used_for_so_many_days_goes(used: Copy, days: int, found: int) -> None:
    desk, path = used()
    database = sqlite3.connect(file_of(desk))
    with database:
        database.execute("UPDATE rows SET used = used - ?", (40 * DAY,))
    database.close()
    assert told(desk, "run", with_cache(path, f"prune_older_than_days: {days}")) == (found, ROWS - found)


def test_a_damaged_cache_is_a_warning_of_the_run(used: Copy) -> None:
    desk, path = used()
    file_of(desk).write_bytes(b"no database at all, " * 1000)
    done = desk.dlm("run", path)
    assert done.code == 0
    assert "warning    the cache was damaged" in done.err
    assert told(desk, "run", path) == (ROWS, 0)


def test_rows_of_one_section_are_told_apart(desk: Desk) -> None:
    pairs = "".join(f"### Q\nWhat is number {number}?\n### A\nIt is {'very ' * number}odd.\n\n" for number in range(3))
    path = desk.write(f"::instruction::\n{pairs}", "")
    cold = desk.dlm("plan", path, "--json").json
    warm = desk.dlm("plan", path, "--json").json
    assert kept(desk) == 3
    assert cold["phases"] == warm["phases"]


def test_what_changed_is_explained(used: Copy) -> None:
    desk, path = used()
    assert all(one["kept"] for one in desk.dlm("cache", "explain", path, "--json").json["groups"])
    text = path.read_text()
    path.write_text(text.replace("base_model: tiny\n", "base_model: tiny\nsystem_prompt: Be brief.\n"))
    found = desk.dlm("cache", "explain", path, "--json").json
    hold("cache-explain", found)
    assert {(one["sort"], one["kept"], one["why"], one["rows"]) for one in found["groups"]} == {
        ("text", True, None, 1),
        ("chat", False, "system prompt changed", 4),
    }
    assert "4 chat rows  system prompt changed (line" in desk.dlm("cache", "explain", path).out
    path.write_text(text.replace("ninety", "eighty"))
    groups = desk.dlm("cache", "explain", path, "--json").json["groups"]
    assert [one["rows"] for one in groups if one["why"] == "never tokenized"] == [1]
    before = file_of(desk).read_bytes()
    desk.dlm("cache", "explain", path)
    assert file_of(desk).read_bytes() == before, "explaining changes nothing"
    assert "neither reads nor writes" in desk.dlm("cache", "explain", with_cache(path, "enabled: false")).out


def test_a_text_that_must_be_split_now_is_explained(desk: Desk) -> None:
    body = "The bay is deep and the lamp is lit. " * 40
    desk.dlm("plan", desk.write(body, ""))
    path = desk.write(body, "  sequence_len: 64\n")
    (found,) = desk.dlm("cache", "explain", path, "--json").json["groups"]
    assert (found["kept"], found["why"]) == (False, "it was kept whole; the sequence length splits it now")
    split = desk.dlm("plan", path, "--json").json["phases"]
    assert all(one["kept"] for one in desk.dlm("cache", "explain", path, "--json").json["groups"])
    assert desk.dlm("plan", path, "--json").json["phases"] == split
    desk.dlm("plan", desk.write(body, ""))
    assert all(one["kept"] for one in desk.dlm("cache", "explain", path, "--json").json["groups"])


def test_show_prune_and_clear(used: Copy) -> None:
    desk, path = used()
    shown = desk.dlm("cache", "show", "--json").json
    hold("cache", shown)
    assert (shown["rows"], shown["path"]) == (ROWS + NEUTRAL, str(file_of(desk)))
    assert shown["hits"] > ROWS
    assert [one["rows"] for one in shown["tokenizers"]] == [ROWS + NEUTRAL]
    assert f"{ROWS + NEUTRAL} rows" in desk.dlm("cache", "show").out
    assert desk.dlm("cache", "prune", "--json").json["rows"] == 0
    pruned = desk.dlm("cache", "prune", "--older-than", 0, "--json").json
    hold("cache-removed", pruned)
    assert pruned["rows"] == ROWS + NEUTRAL
    assert told(desk, "run", path) == (0, ROWS)
    assert desk.dlm("cache", "clear", "--json").json["rows"] == ROWS
    assert kept(desk) == 0


def test_an_empty_home_has_an_empty_cache(desk: Desk) -> None:
    assert (kept(desk), file_of(desk).exists()) == (0, False)
    assert desk.dlm("cache", "clear").out == "removed 0 rows; 0 B are left\n"
    assert desk.dlm("cache", "show").code == 0
    assert not file_of(desk).exists()
