"""What versions know of their rows survives kills: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from dlm_core import pipeline, preparing
from dlm_core.api import Control, Row, Span, chat_row
from dlm_core.api.rows import Message
from dlm_core.memory.delta import Delta, Known, compare_rows, identity, keep_sides
from dlm_core.memory.ledger import read_ledger, read_rows
from dlm_core.memory.recall import pace_of, second_epochs
from dlm_core.memory.sample import FLOOR, HALF_LIFE, draw, kinship, recency, sample_size, second_size, words_of
from dlm_core.plugins import Plugins
from dlm_core.store import Store, atomic, open_store
from tests import null_plugin
from tests.conftest import ID
from tests.store.faults import KILLED, Faults
from tests.store.samples import exit_code, files, forked, named

PLUGINS = Plugins.load(group="no.such.group")
PLUGINS.register(null_plugin, "null")


def write(folder: Path, numbers: list[int]) -> Path:
    (folder / "base").mkdir(exist_ok=True)
    path = folder / "notes.dlm"
    text = "\n".join(f"::instruction::\n### Q\nIs it {n}?\n### A\nyes\n" for n in numbers)
    path.write_text(f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: ./base\n---\n{text}\n")
    return path


def run(document: Path, home: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(home))
        pipeline.run(document, PLUGINS, preparing.Options(), Control())


def contents(store: Store) -> Counter[str]:
    """Every row that is kept anywhere, with how often."""
    found: Counter[str] = Counter()
    for version in store.versions():
        ledger = read_ledger(version)
        assert ledger is not None
        ours = {entry.id: entry.first for entry in ledger.known if entry.first == version.number}
        found.update([*read_rows(store, ours)])
    return found


def whole(store: Store) -> None:
    """Every row that the current version knows is kept once, and its content is the one that bears its name."""
    assert store.check() == []
    current = store.current()
    ledger = read_ledger(current) if current else None
    if ledger is None:
        return
    trained = {entry.id: entry.first for entry in ledger.known if entry.first}
    rows = read_rows(store, trained)
    assert rows.keys() == trained.keys(), "a row was lost"
    assert all(identity(row) == one for one, row in rows.items())
    assert set(contents(store).values()) <= {1}, "a row is there twice"


def test_each_version_keeps_the_rows_it_was_first_to_train(tmp_path):
    home = tmp_path / "home"
    store = open_store(ID, home)
    for numbers in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 4], [1, 2, 4, 3]):
        run(write(tmp_path, numbers), home)
        whole(store)
    assert len(contents(store)) == 4
    sizes = [
        len(read_rows(store, {e.id: e.first for e in read_ledger(v).known if e.first == v.number}))
        for v in store.versions()
    ]
    assert sizes == [3, 1, 0, 0], "the third came back and is not stored again"
    assert {entry.side for entry in read_ledger(store.version(3)).known} == {"trained", "gone"}


def test_segments_that_no_version_names_are_swept(tmp_path):
    home = tmp_path / "home"
    run(write(tmp_path, [1, 2]), home)
    store = open_store(ID, home)
    (store.root / "replay" / ("0" * 64)).write_bytes(b"scrap")
    with store.writing():
        pass
    assert files(store) == named(store)


def killed_run(place: Path, document: Path, home: Path, at: int) -> tuple[int, int]:
    """A run that ends at its `at`-th call that changes the disk; its exit code, and how many calls there were."""
    log = place / "log"
    log.write_text("")

    def work() -> int:
        faults = Faults(home, log, "kill" if at else "none", at)
        atomic.os = faults  # type: ignore[assignment, attr-defined]
        try:
            run(document, home)
        finally:
            faults.note(f"calls {faults.count}")
        return 0

    code = exit_code(forked(work))
    last = log.read_text().splitlines()[-1]
    return code, int(last.split()[1]) if last.startswith("calls") else 0


def test_twenty_kills_around_a_commit_lose_and_double_nothing(tmp_path):
    place = Path("/dev/shm") / f"replay-{os.getpid()}" if os.access("/dev/shm", os.W_OK) else tmp_path / "place"
    place.mkdir()
    try:
        template = place / "template"
        run(write(place, list(range(25))), template)
        document = write(place, [*range(1, 26)])
        shutil.copytree(template, place / "home")
        _, calls = killed_run(place, document, place / "home", 0)
        assert calls > 30
        seed = int(time.time())
        for at in random.Random(seed).sample(range(1, calls + 1), 20):
            home = place / "home"
            shutil.rmtree(home)
            shutil.copytree(template, home)
            code, _ = killed_run(place, document, home, at)
            assert code == KILLED, f"call {at}, seed {seed}"
            store = open_store(ID, home)
            assert store.current().number in (1, 2)
            whole(store)
            run(document, home)
            whole(store)
            assert store.current().number == 2
            assert len(contents(store)) >= 24, f"call {at}, seed {seed}"
            with store.writing():
                pass
            assert files(store) == named(store)
    finally:
        shutil.rmtree(place)


def test_twenty_kills_at_any_moment_lose_and_double_nothing(tmp_path):
    """`kill -9` by the clock instead of by the call: training, the database of runs and SQLite's log are hit too."""
    template = tmp_path / "template"
    run(write(tmp_path, list(range(25))), template)
    document = write(tmp_path, [*range(1, 26)])
    trial = tmp_path / "trial"
    shutil.copytree(template, trial)
    started = time.monotonic()
    assert exit_code(forked(lambda: run(document, trial) or 0)) == 0
    usual = time.monotonic() - started
    seed = time.time_ns()
    chance = random.Random(seed)
    killed = 0
    for number in range(20):
        home = tmp_path / str(number)
        shutil.copytree(template, home)
        child = forked(lambda home=home: run(document, home) or 0)
        time.sleep(chance.uniform(0, usual))
        os.kill(child, signal.SIGKILL)
        killed += exit_code(child) == -signal.SIGKILL
        store = open_store(ID, home)
        whole(store)
        run(document, home)
        whole(store)
        assert store.current().number == 2, f"seed {seed}"
        assert contents(store) == contents(open_store(ID, trial)), f"seed {seed}"
        with store.writing():
            pass
        assert files(store) == named(store)
    assert killed > 3, "some are killed on their way"


# -- delta and sample ----------------------------------------------------------------------------------------------


def row(question: str, answer: str = "yes", line: int = 1) -> Row:
    return chat_row([Message.of("user", question), Message.of("assistant", answer)], Span(line))


def known(*rows: Row) -> list[Known]:
    from dlm_core.memory.delta import question_of

    return [Known(identity(one), "trained", question_of(one), 1) for one in rows]


def test_the_same_question_with_another_answer_is_a_change_wherever_it_stands():
    old, new = [row("a"), row("b"), row("c")], [row("c"), row("d"), row("a", "no"), row("b")]
    found = compare_rows(known(*old), new)
    assert found.replaced == {identity(new[2]): identity(old[0])}
    assert found.new == (identity(new[1]),)
    assert found.gone == ()


def test_another_question_in_the_same_place_is_a_change():
    old, new = [row("a"), row("b"), row("c")], [row("a"), row("B", "so"), row("c"), row("d")]
    found = compare_rows(known(*old), new)
    assert found.replaced == {identity(new[1]): identity(old[1])}
    assert found.counts() == {"new": 1, "changed": 1, "kept": 2, "gone": 0}


def test_more_copies_of_a_row_are_a_change():
    found = compare_rows(known(row("a"), row("b")), [row("a"), row("a"), row("b")])
    assert (found.to_learn, found.gone) == ({identity(row("a"))}, ())


def test_sides_stay_when_the_draw_would_change_them():
    old = row("a")
    entries = [*known(old), Known(identity(row("b")), "validation", "", 0)]
    train, held = keep_sides(entries, [row("b", line=2), row("c", line=3)], [row("a", line=1), row("d", line=4)])
    assert [one.question[-1].text for one in train] == ["a", "c"]
    assert [one.question[-1].text for one in held] == ["b", "d"]


def test_a_draw_is_the_same_for_the_same_key_whatever_the_order():
    pool = {f"{n:05d}": 1.0 for n in range(200)}
    one = draw(pool, "42:3", 20, 5)
    assert one == draw(dict(reversed(pool.items())), "42:3", 20, 5)
    assert one != draw(pool, "43:3", 20, 5)
    assert len(set(one)) == 5, "each epoch draws anew"
    assert all(len(set(turn)) == 20 for turn in one)


def test_rows_are_drawn_as_often_as_they_weigh():
    pool = {f"old{n}": recency(40) for n in range(500)} | {f"new{n}": recency(0) for n in range(500)}
    drawn = [one for turn in draw(pool, "k", 50, 60) for one in turn]
    share = sum(one.startswith("new") for one in drawn) / len(drawn)
    assert 0.76 < share < 0.84, "0.8 for weights of 1 and FLOOR"
    assert (recency(0), recency(HALF_LIFE), recency(1000), FLOOR) == (1, 0.5, FLOOR, 0.25)


def test_what_is_like_the_new_is_drawn_more_often():
    new = [words_of(row("When does the boat to Orro leave?"))]
    like, unlike = row("When does the boat to Inn leave?"), row("Who built the tower?")
    assert kinship(like, new) > 2.5 * kinship(unlike, new)
    assert kinship(row("When does the boat to Orro leave?"), new) == 10
    assert kinship(like, []) == 1


def test_the_size_of_the_sample():
    assert sample_size(0, 5) == 0
    assert sample_size(10, 1) == 10
    assert sample_size(175, 1) == 18
    assert 1 + sample_size(9_999, 1) == 1050
    assert sample_size(10_000, 5000) == 5000
    assert (second_size(10), second_size(175), second_size(1000)) == (10, 32, 180)
    assert Delta().to_learn == frozenset()


def test_the_epochs_of_a_second_round():
    assert [second_epochs(epochs) for epochs in (1, 12, 32, 33, 100)] == [4, 4, 4, 5, 13]


def test_few_epochs_learn_faster():
    assert [pace_of(epochs) for epochs in (1, 4, 6, 8, 12, 16, 30)] == [1, 1, 0.67, 0.5, 0.33, 0.25, 0.25]
