"""The exam beside that of the version before, and what happens when too much was lost."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from dlm_core.exam import Answer, Exam, SectionResult, compare_exams
from dlm_core.store import open_store
from dlm_core.testing import Desk
from dlm_core.testing.desk import document_id

from .test_edit_and_run import FRONT, body


def answer(number: int, said: str, expected: str = "yes") -> Answer:
    return Answer(number, f"s{number}", 0, "trained", "default", f"Is it {number}?", expected, said)


def section(number: int, before: float, after: float) -> SectionResult:
    return SectionResult(f"s{number}", "instruction", number, "", "default", 10, before, after, True)


BEFORE = Exam(
    (answer(1, "yes"), answer(2, "yes"), answer(3, "no"), replace(answer(4, "yes"), side="exam")),
    (section(1, 4.0, 0.05), section(2, 4.0, 0.2), section(3, 4.0, 2.0)),
    5.0,
    6.0,
)


def test_kept_are_old_questions_that_were_exact_and_still_are():
    now = Exam((answer(1, "yes"), answer(2, "no"), answer(3, "yes"), answer(5, "yes")), (), 5.0, 6.0)
    found = compare_exams(3, BEFORE, now)
    assert (found.version, found.had, found.kept, found.new, found.learned) == (3, 2, 1, 1, 1)
    assert [one.line for one in found.lost] == [2]
    assert found.forgetting == 0.5


def test_a_question_with_another_answer_is_new():
    now = Exam((answer(1, "yes"), answer(2, "maybe", "maybe")), (), 5.0, 6.0)
    found = compare_exams(1, BEFORE, now)
    assert (found.had, found.kept, found.new, found.learned) == (1, 1, 1, 1)
    assert found.forgetting == 0


def test_losses_of_old_and_new_sections_are_apart():
    now = Exam((), (section(1, 4.0, 0.1), section(2, 4.0, 0.3), section(9, 3.0, 1.0)), 5.0, 6.6)
    found = compare_exams(1, BEFORE, now)
    assert (found.old_loss.before, found.old_loss.after) == (pytest.approx(0.125), pytest.approx(0.2))
    assert (found.new_loss.before, found.new_loss.after) == (3.0, 1.0)
    assert found.neutral.rise() == pytest.approx(0.1)
    assert found.forgetting == pytest.approx(0.6)


def test_what_is_learned_so_well_that_it_cannot_be_told_apart_is_not_forgotten():
    before = Exam((), (section(1, 4.0, 0.001),), 5.0, 6.0)
    assert compare_exams(1, before, Exam((), (section(1, 4.0, 0.09),), 5.0, 5.5)).forgetting == 0


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer that loses every answer it is not taught again, when it starts from a version before."""
    from dlm_core.testing.null import trainer

    real = trainer._start

    def start(job: Any, name: str) -> Any:
        memory, step = real(job, name)
        if job.start is not None:
            memory.answers.clear()
        return memory, step

    monkeypatch.setattr(trainer, "_start", start)


def run(desk: Desk, text: str, *options: str) -> Any:
    return desk.run(desk.write(text, FRONT.replace("4", "1")), "--no-export", *options)


def test_the_run_tells_what_was_kept(dlm_desk):
    run(dlm_desk, body(30))
    result = run(dlm_desk, body(31))
    compared = result.event("exam")["compared"]
    assert compared["version"] == 1
    assert compared["had"] == compared["kept"] > 20
    assert (compared["new"], compared["learned"]) == (1, 1)
    text = dlm_desk.dlm("run", dlm_desk.write(body(36), FRONT), "--no-export")
    assert "kept" in text.err
    assert "old answers kept" in text.out
    assert re.search(r"new and changed answers learned +(\d) of \1", text.out)
    store = open_store(document_id("notes.dlm"))
    page = store.reports()[3].read_text()
    assert "Beside version 2" in page
    assert store.current().manifest["compared"]["learned"] >= 1
    shown = dlm_desk.dlm("show", dlm_desk.folder / "notes.dlm")
    assert re.search(r"version 2 .* kept (\d+) of \1 of version 1", shown.out)
    versions = dlm_desk.dlm("show", dlm_desk.folder / "notes.dlm", "--json").json["versions"]
    assert [version["beside"] and version["beside"]["version"] for version in versions] == [None, 1, 2]


@pytest.mark.usefixtures("forgetful")
def test_a_second_round_trains_what_the_first_one_lost(dlm_desk):
    run(dlm_desk, body(60))
    result = run(dlm_desk, body(66))
    assert result.event("second_round")["lost"] > 5
    compared = result.event("exam")["compared"]
    assert compared["had"] - compared["kept"] < result.event("second_round")["lost"]
    assert {event["phase"] for event in result.events if event["event"] == "step"} == {"sft", "sft, again"}
    rows = result.event("reality")["rows"]
    assert rows["planned"] < rows["real"] <= 66, "a row counts once, in however many rounds it is trained"
    steps = result.event("reality")["steps"]
    assert steps["planned"] < steps["real"] == len([one for one in result.events if one["event"] == "step"])
    store = open_store(document_id("notes.dlm"))
    assert store.check() == []
    assert "unchanged" in [event["event"] for event in run(dlm_desk, body(66)).events]


@pytest.mark.usefixtures("forgetful")
def test_a_run_of_few_steps_has_no_second_round(dlm_desk):
    run(dlm_desk, body(60))
    result = dlm_desk.run(dlm_desk.write(body(66), FRONT), "--no-export", "--max-steps", "2")
    assert "second_round" not in [event["event"] for event in result.events]


@pytest.mark.usefixtures("forgetful")
def test_too_much_forgetting_keeps_the_version_before(dlm_desk, monkeypatch):
    monkeypatch.setattr("dlm_core.pipeline.second_of", lambda *known: None)
    run(dlm_desk, body(60))
    store = open_store(document_id("notes.dlm"))
    head = (store.root / "HEAD").read_bytes()
    refused = run(dlm_desk, body(66), "--max-forgetting", "0.05")
    assert refused.code == 8
    error = refused.event("error")
    assert "more than --max-forgetting 0.05" in error["message"]
    assert "version 1 stays current" in error["message"]
    assert "--fresh" in error["hint"]
    assert (store.root / "HEAD").read_bytes() == head
    assert store.check() == []
    assert store.runs.list()[-1]["state"] == "failed"
    assert run(dlm_desk, body(66)).code == 0, "without the limit it is kept"
    assert store.current().number == 2
    assert store.current().manifest["compared"]["kept"] < store.current().manifest["compared"]["had"]


def test_little_forgetting_passes(dlm_desk):
    run(dlm_desk, body(30))
    assert run(dlm_desk, body(31), "--max-forgetting", "0.5").code == 0
