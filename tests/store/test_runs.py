"""The runs database: what is recorded, and that no trouble with it ever reaches a run."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from dlm_core.store import Runs


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs.sqlite")


def test_a_whole_run(runs: Runs) -> None:
    runs.start(1, "doc", "tiny", command="run")
    for step in range(1, 4):
        runs.step(1, "sft", step, loss=3.0 / step, learning_rate=2e-4, tokens=100, temperature=0.5)
    runs.eval(1, "sft", 3, 1.25, rows=4)
    runs.exam(1, [{"row": "a:0:b", "question": "Q?", "answer": "A", "exact": True, "note": "kept"}])
    runs.export(1, "gguf", run=1, path=Path("/x/model.gguf"), size=10, quant="Q8_0")
    runs.finish(1, "committed", version=1)
    runs.start(2)
    runs.finish(2, "interrupted", step=9, reason="stopped")
    other = Runs(runs.path)
    assert [(row["id"], row["state"], row["version"]) for row in other.list()] == [
        (1, "committed", 1),
        (2, "interrupted", None),
    ]
    assert other.list()[0]["command"] == "run"
    assert (other.last() or {})["step"] == 9
    assert [(row["step"], row["loss"], row["temperature"]) for row in other.steps(1)] == [
        (1, 3.0, 0.5),
        (2, 1.5, 0.5),
        (3, 1.0, 0.5),
    ]
    assert other.evals(1)[0]["rows"] == 4
    assert (other.exams(1)[0]["exact"], other.exams(1)[0]["note"]) == (1, "kept")
    assert (other.exports()[0]["path"], other.exports()[0]["quant"]) == ("/x/model.gguf", "Q8_0")
    assert other.steps(2) == []
    assert runs.take_warnings() == other.take_warnings() == []


def test_steps_are_written_together_and_cost_little(runs: Runs) -> None:
    runs.start(1)
    began = time.process_time()
    for step in range(5000):
        runs.step(1, "sft", step, loss=1.0, grad_norm=0.5)
    assert time.process_time() - began < 5000 * 200e-6
    assert len(runs.steps(1)) == 5000


def test_a_resumed_run_overwrites_the_steps_it_repeats(runs: Runs) -> None:
    runs.start(1)
    for loss in (2.0, 1.0):
        runs.step(1, "sft", 1, loss=loss)
    runs.start(1)
    assert [row["loss"] for row in runs.steps(1)] == [1.0]


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 99, None])
def test_a_damaged_database_is_set_aside(runs: Runs, damage: bytes | None) -> None:
    runs.start(1)
    for step in range(2000):
        runs.step(1, "sft", step, loss=1.0)
    runs.close()
    whole = runs.path.read_bytes()
    runs.path.write_bytes(damage if damage is not None else whole[:4096] + b"\xff" * (len(whole) - 4096))
    again = Runs(runs.path)
    again.start(2)
    again.finish(2, "committed", version=1)
    assert [row["id"] for row in again.list()] == [2]
    again.close()
    if damage != b"":
        assert runs.path.with_name("runs.sqlite.damaged").exists()
        assert any("set aside" in warning or "is now" in warning for warning in again.take_warnings())


def test_a_locked_database_is_tried_again(runs: Runs) -> None:
    runs.start(1)
    blocker = sqlite3.connect(runs.path)
    blocker.execute("BEGIN EXCLUSIVE")
    runs.step(1, "sft", 1, loss=1.0)
    runs.finish(1, "committed", version=1)
    assert any("locked" in warning for warning in runs.take_warnings())
    began = time.perf_counter()
    for step in range(2, 1000):
        runs.step(1, "sft", step, loss=1.0)
    assert time.perf_counter() - began < 1.0, "training waits for the database"
    blocker.rollback()
    blocker.close()
    runs.close()
    assert (runs.last() or {})["state"] == "committed"
    assert len(runs.steps(1)) == 999


def test_a_newer_database_is_left_alone(runs: Runs) -> None:
    with sqlite3.connect(runs.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    runs.start(1)
    assert any("newer dlm" in warning for warning in runs.take_warnings())
    runs.close()
    with sqlite3.connect(runs.path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    database.close()


def test_one_bad_row_does_not_hold_up_the_others(runs: Runs) -> None:
    runs.start(1)
    runs.step(1, None, 1, loss=1.0)  # type: ignore[arg-type]
    runs.step(1, "sft", 2**80, loss=1.0)
    runs.step(1, "sft", 3, loss=float("nan"), odd={1, 2})
    assert [row["step"] for row in runs.steps(1)] == [3]
    assert len(runs.take_warnings()) == 2


def test_no_place_for_a_database_is_a_warning(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "missing" / "runs.sqlite")
    runs.start(1)
    runs.step(1, "sft", 1, loss=1.0)
    runs.finish(1, "failed", reason="r")
    runs.close()
    assert runs.last() is None
    assert runs.take_warnings() != []


def test_dead_runs_are_closed(runs: Runs) -> None:
    for run in (1, 2, 3):
        runs.start(run)
    runs.finish(3, "failed", reason="r")
    runs.mark_dead({1: 7})
    assert [(row["state"], row["version"]) for row in runs.list()] == [
        ("committed", 7),
        ("killed", None),
        ("failed", None),
    ]
