"""A document is edited and run again: what is trained, what stays, and where the run starts."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dlm_core.store import open_store
from dlm_core.testing import Desk, Result
from dlm_core.testing.desk import document_id

FRONT = "training:\n  num_epochs: 4\n"
EIGHT = FRONT.replace("4", "8")
ROWS = 100


def body(count: int, answers: Mapping[int, str] | None = None, without: Iterable[int] = ()) -> str:
    """Pairs 0 … count - 1, a section each."""
    said = answers or {}
    return "\n".join(
        f"::instruction::\n### Q\nWhat is {i}?\n### A\n{said.get(i, f'It is {i}.')}\n"
        for i in range(count)
        if i not in set(without)
    )


def in_one_section(count: int, answers: Mapping[int, str] | None = None) -> str:
    return "::instruction::\n" + body(count, answers).replace("::instruction::\n", "")


class Author:
    """Writes, runs, and keeps what the last run said."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def run(self, text: str, *options: str, front: str = FRONT) -> Result:
        result = self.desk.run(self.desk.write(text, front), "--no-export", *options)
        assert result.code == 0, result.err
        return result

    @property
    def store(self) -> Any:
        return open_store(document_id("notes.dlm"))

    @property
    def manifest(self) -> Mapping[str, Any]:
        current = self.store.current()
        assert current is not None
        return current.manifest


@pytest.fixture
def author(dlm_desk: Desk) -> Author:
    return Author(dlm_desk)


def start(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = result.event("plan")["start"]
    return found


def counts(result: Result) -> tuple[int, int, int, int]:
    said = start(result)
    return said["new"], said["changed"], said["gone"], said["replayed"]


def kinds(result: Result) -> list[str]:
    return [event["event"] for event in result.events]


def test_the_first_run_starts_from_the_base(author):
    said = start(author.run(body(30)))
    assert (said["before"], said["start"], said["reason"]) == (None, "base", "")
    assert said["new"] + author.run(body(30)).event("plan")["plan"]["phases"][0]["validation"] == 30


def test_an_unchanged_document_is_not_trained(author):
    author.run(body(30))
    again = author.run(body(30))
    assert "unchanged" in kinds(again)
    assert "run" not in kinds(again)


def test_one_changed_answer_is_trained_with_a_sample_of_the_others(author):
    author.run(body(ROWS))
    known = author.manifest["memory"]["new"]
    result = author.run(body(ROWS, {6: "It is six."}))
    said = start(result)
    assert (said["start"], said["before"]) == ("version", 1)
    assert counts(result)[:3] == (0, 1, 0)
    assert said["kept"] == known - 1
    assert 1 + said["replayed"] <= max(17, 0.15 * known)
    full = known * 4
    phase = result.event("phase")
    assert sum(1 for event in result.events if event["event"] == "step") == 4
    assert result.event("reality")["tokens"]["real"] == result.event("reality")["tokens"]["planned"]
    assert phase["rows"] <= 4 * said["replayed"] + 1 < full


def test_every_adapter_starts_from_the_version_before(author):
    author.run(body(ROWS))
    result = author.run(body(ROWS, {6: "It is six."}))
    answers = result.answers
    assert answers["What is 6?"] == "It is six."
    assert answers["What is 77?"] == "It is 77.", "learned by the version before, most likely not trained now"


def test_no_row_is_trained_twice_in_an_epoch_and_none_of_the_validation_side(author, monkeypatch):
    from dlm_core.testing.null.trainer import NullTrainer

    jobs = []
    real = NullTrainer.train
    monkeypatch.setattr(NullTrainer, "train", lambda self, job: (jobs.append(job), real(self, job))[1])
    author.run(body(ROWS), front=EIGHT)
    author.run(body(ROWS, {6: "It is six."}), front=EIGHT)
    first, second = jobs
    assert first.start is None
    assert second.start is not None
    assert not first.turns
    rows = [row.key for row in second.rows]
    assert len(rows) == len(set(rows))
    assert set(rows) <= {row.key for row in first.rows} | {
        row.key for row in second.rows if "six" in (row.answer or "")
    }
    assert not set(rows) & {row.key for row in first.validation}
    for epoch in range(8):
        mine = [key for key in rows if epoch in second.turns.get(key, (epoch,))]
        assert len(mine) == 1 + 16
    assert second.adapters["default"].learning_rate == first.adapters["default"].learning_rate / 2


@pytest.mark.parametrize(("batch", "replayed"), [("2", 3), ("1", 1), ("auto", 16)])
def test_what_is_new_fits_in_the_steps_that_are_asked_for(author, batch, replayed):
    front = f"{FRONT}  micro_batch_size: {batch}\n  grad_accum: {1 if batch != 'auto' else batch}\n"
    author.run(body(ROWS), front=front)
    said = author.run(body(ROWS, {6: "It is six."}), "--max-steps", "2", front=front)
    assert counts(said) == (0, 1, 0, replayed)
    assert {answer["question"] for answer in said.event("exam")["exam"]["answers"]} >= {"What is 6?"}
    assert kinds(said).count("step") == 2


def test_each_epoch_draws_another_sample(author, monkeypatch):
    from dlm_core.testing.null.trainer import NullTrainer

    jobs = []
    real = NullTrainer.train
    monkeypatch.setattr(NullTrainer, "train", lambda self, job: (jobs.append(job), real(self, job))[1])
    author.run(body(ROWS))
    author.run(body(ROWS, {6: "It is six."}))
    turns = jobs[-1].turns
    samples = [frozenset(key for key, epochs in turns.items() if epoch in epochs) for epoch in range(4)]
    assert len(set(samples)) == 4


def test_a_small_document_is_trained_whole_from_the_version_before(author):
    author.run(body(6))
    result = author.run(body(7))
    assert counts(result) == (1, 0, 0, 6)
    assert not any(choice["name"] == "learning_rate" for choice in result.event("plan")["plan"]["choices"])


def test_a_moved_row_is_no_change(author):
    author.run(body(8))
    turned = "\n".join(reversed(body(8).split("\n\n")))
    result = author.run(turned)
    assert counts(result)[:3] == (0, 0, 0)
    assert "phase" not in kinds(result)


def test_an_edit_within_a_long_section_leaves_the_other_rows_alone(author):
    author.run(in_one_section(ROWS))
    before = start(author.run(in_one_section(ROWS)))
    result = author.run(in_one_section(ROWS, {40: "It is forty."}))
    said = start(result)
    assert (said["new"] + said["changed"], said["gone"]) == (1, 0) or (said["new"], said["changed"]) == (0, 0)
    assert said["kept"] >= before["kept"] - 1


def test_removed_rows_leave_the_adapter_as_it_is(author):
    author.run(body(10))
    before = author.store.current()
    result = author.run(body(10, without=[3]))
    assert counts(result) == (0, 0, 1, 0)
    assert "--fresh trains without what is gone" in start(result)["reason"]
    assert "phase" not in kinds(result)
    now = author.store.current()
    assert (now.number, now.sha256) == (2, before.sha256)
    assert author.store.check() == []
    again = author.run(body(10, without=[3]))
    assert "unchanged" in kinds(again)


def test_a_run_that_trains_nothing_does_not_tell_how_long_it_took(author):
    trained = author.desk.dlm("run", author.desk.write(body(10), FRONT), "--no-export")
    removed = author.desk.dlm("run", author.desk.write(body(10, without=[3]), FRONT), "--no-export")
    assert "plan and reality" in trained.out
    assert "plan and reality" not in removed.out
    assert "version 2" in removed.out


def test_fresh_trains_without_what_is_gone(author):
    author.run(body(10))
    author.run(body(10, without=[3]))
    result = author.run(body(10, without=[3]), "--fresh")
    assert start(result)["start"] == "base"
    assert result.event("phase")["rows"] == 9
    assert author.store.current().sha256 != author.store.version(1).sha256
    assert "unchanged" in kinds(author.run(body(10, without=[3]), "--fresh"))


def test_deleted_rows_are_replayed_only_on_request(author):
    author.run(body(8))
    author.run(body(8, without=[3]))
    plain = start(author.run(body(8, {1: "It is one."}, without=[3])))
    assert (plain["replayed"], plain["restored"]) == (6, 0)
    asked = start(author.run(body(8, {1: "It is 1 again."}, without=[3]), "--replay-deleted"))
    assert (asked["replayed"], asked["restored"]) == (7, 1)


def test_a_replaced_answer_is_never_replayed(author):
    author.run(body(8))
    author.run(body(8, {1: "It is one."}))
    asked = start(author.run(body(8, {1: "It is one.", 2: "It is two."}), "--replay-deleted"))
    assert asked["restored"] == 0


@pytest.mark.parametrize(
    ("front", "why"),
    [
        ("training:\n  num_epochs: 5\n", "training settings changed since version 1"),
        ("training:\n  num_epochs: 4\n  lora_r: 4\n", "training settings, adapters changed since version 1"),
        (FRONT + "system_prompt: Be brief.\n", "system prompt changed since version 1"),
    ],
)
def test_other_settings_start_from_the_base_and_say_so(author, front, why):
    author.run(body(8))
    result = author.run(body(9), front=front)
    said = start(result)
    assert (said["start"], said["reason"]) == ("base", why)
    choices = {choice["name"]: choice for choice in author.manifest["plan"]["choices"]}
    assert choices["start"]["value"] == "the base"
    assert choices["start"]["reason"] == why
    assert result.event("phase")["rows"] == 9


def test_when_nothing_of_the_version_before_is_left_the_base_is_the_start(author):
    author.run(body(3))
    said = start(author.run("::instruction::\n### Q\nWho?\n### A\nI am.\n"))
    assert (said["start"], said["reason"]) == ("base", "no row of version 1 is left")


def test_after_a_rollback_the_current_version_is_the_start(author):
    author.run(body(8))
    author.run(body(9))
    assert author.desk.dlm("rollback", author.desk.folder / "notes.dlm").code == 0
    result = author.run(body(10))
    said = start(result)
    assert (said["before"], said["new"]) == (1, 2)
    assert author.store.current().number == 3


def test_the_plan_tells_the_same_and_changes_nothing(author):
    author.run(body(ROWS))
    path = author.desk.write(body(ROWS, {6: "It is six."}), FRONT)
    told = author.desk.dlm("plan", path, "--json").json["start"]
    assert told == start(author.desk.run(path, "--no-export"))
    text = author.desk.dlm("plan", author.desk.write(body(ROWS + 1, {6: "It is six."}), FRONT)).out
    assert "version 2: 1 new, 0 changed, 0 gone; 16 of" in " ".join(text.split())


def test_the_same_edit_gives_the_same_bits(author, tmp_path, monkeypatch):
    def adapter(home: Path) -> str:
        monkeypatch.setenv("DLM_HOME", str(home))
        author.run(body(ROWS))
        author.run(body(ROWS, {6: "It is six."}))
        found: str = author.store.current().sha256
        return found

    assert adapter(tmp_path / "a") == adapter(tmp_path / "b")


def test_a_version_without_a_ledger_is_no_start(author, monkeypatch):
    from dlm_core.store.writer import Run

    real = Run.commit
    monkeypatch.setattr(Run, "commit", lambda self, kept, seal, segment=None: real(self, kept, seal))
    author.run(body(8))
    monkeypatch.setattr(Run, "commit", real)
    said = start(author.run(body(9)))
    assert (said["start"], said["reason"]) == ("base", "version 1 did not note which rows it was trained on")


def test_a_damaged_segment_is_told_and_fresh_helps(author):
    author.run(body(8))
    (segment,) = (author.store.root / "replay").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1] + b"x")
    path = author.desk.write(body(9), FRONT)
    refused = author.desk.run(path, "--no-export")
    assert refused.code == 1
    assert "was changed" in refused.event("error")["message"]
    assert "--fresh" in refused.event("error")["hint"]
    assert author.desk.dlm("show", path, "--verify").code != 0
    assert author.desk.run(path, "--no-export", "--fresh").code == 0


NAMED = """
training:
  num_epochs: 3
  adapters:
    left: {}
    right: {}
"""


def test_an_adapter_with_nothing_new_is_carried_over(author):
    text = textwrap.dedent(
        """
        Both learn this.

        ::instruction#left::
        ### Q
        Left?
        ### A
        Yes.

        ::instruction#right::
        ### Q
        Right?
        ### A
        {}
        """
    )
    author.run(text.format("Yes."), front=NAMED)
    first = author.store.current().adapter
    author.run(text.format("No."), front=NAMED)
    second = author.store.current().adapter
    weights = "adapter_model.safetensors"
    assert (first / "left" / weights).read_bytes() == (second / "left" / weights).read_bytes()
    assert (first / "right" / weights).read_bytes() != (second / "right" / weights).read_bytes()


def test_resume_goes_on_with_what_the_run_was_asked(author):
    author.run(body(8))
    manifest = json.dumps(author.manifest["memory"])
    assert '"asked": {"force": false, "fresh": false, "replay_deleted": false}' in manifest
