"""Judges, mining with scripted answers, and sections that come and go with every other byte as it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dlm_core import hookimpl
from dlm_core.api import Message, RunFailedError, Sampling, Span, UsageError, chat_row
from dlm_core.testing import Desk, Result
from dlm_preference import plugin
from dlm_preference.applying import apply_run, revert_run, section_text, standing
from dlm_preference.judge import Candidate, Judge
from dlm_preference.judges import FromCommand, OwnAnswer, RewardModel
from dlm_preference.mined import MinedPair, MinedRun, find, keep, runs
from dlm_preference.mining import judged, pairs, questions, sample

HEAD = b"---\ndlm_id: 01K9ABCDEFGHJKMNPQRSTVWXYZ\ndlm_version: 15\nbase_model: tiny  # small\n---\n"
BODY = b"Some prose.\n\n::instruction::\n### Q\nWho?\n### A\nOda Vell.\n"
PAIR = MinedPair("0123456789abcdef", 8, "default", "Who?", "Oda Vell.", "Nobody.", 1.0, 0.25)
RUN = MinedRun(3, "2026-04-23T18:42:11Z", "answer", 1, {}, (PAIR, replace(PAIR, prompt="What?")))


def asked(question: str, answer: str) -> Any:
    row = chat_row([Message.of("user", question), Message.of("assistant", answer)], Span(4))
    return replace(row, section_id=question)


# --- judges -------------------------------------------------------------------------------------------------------


def test_likeness_to_the_own_answer() -> None:
    same, near, far = (Candidate("Who?", answer, "Oda Vell.") for answer in ("Oda Vell.", "Oda Well.", "xyz"))
    scores = list(OwnAnswer().scores("", [same, near, far]))
    assert scores[0] == 1 > scores[1] > 0.8 > scores[2] == 0
    with pytest.raises(UsageError):
        list(OwnAnswer().scores("x", [same]))


def test_a_command_gets_the_answer_as_json(tmp_path: Path) -> None:
    script = tmp_path / "judge it.py"
    script.write_text("import json,sys\nq = json.load(sys.stdin)\nprint(json.dumps({'score': len(q['candidate'])}))")
    command = f"{sys.executable} '{script}'"
    assert list(FromCommand().scores(command, [Candidate("a", "naïve", "c"), Candidate("a", "", "c")])) == [5, 0]
    assert FromCommand().label(f"{sys.executable} --key s3cret") == f"cli:{Path(sys.executable).name}"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('fine')", "answered 'fine'"),
        ("print('{\"score\": true}')", "answered"),
        ("print('{\"score\": NaN}')", "answered"),
        ("import sys; sys.exit('out of order')", "exit code 1: out of order"),
    ],
)
def test_a_command_that_does_not_judge(tmp_path: Path, code: str, message: str) -> None:
    script = tmp_path / "judge.py"
    script.write_text(code)
    with pytest.raises(RunFailedError, match=message):
        list(FromCommand().scores(f"{sys.executable} {script}", [Candidate("a", "b", "c")]))


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(RunFailedError, match="cannot be asked"):
        list(FromCommand().scores("/no/such/judge", [Candidate("a", "b", "c")]))
    with pytest.raises(UsageError):
        list(FromCommand().scores("", []))


def test_a_reward_model(tmp_path: Path) -> None:
    import torch
    import transformers

    from dlm_hf.testing import make_small_reward_model

    model = transformers.AutoModelForSequenceClassification.from_pretrained(make_small_reward_model(tmp_path)).eval()
    first, second = RewardModel().scores(str(tmp_path), [Candidate("Who?", answer, "") for answer in ("Oda.", "No.")])
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nOda.<|im_end|>\n"
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    assert first == pytest.approx(model(ids).logits[0, 0].item(), rel=1e-5)
    assert first != second
    with pytest.raises(UsageError, match="no reward model"):
        list(RewardModel().scores(str(tmp_path / "other"), []))


# --- mining -------------------------------------------------------------------------------------------------------


class Scripted:
    """A model that says what its seed tells, so that every choice of the mining shows."""

    def generate(self, prompts: Sequence[Any], sampling: Sampling, adapter: str) -> Iterator[str]:
        return (f"{adapter} {prompt[-1].text} {sampling.seed % 3} " for prompt in prompts)


def test_answers_are_sampled_once_each_by_their_adapters() -> None:
    rows = [asked("a", "x"), replace(asked("b", "y"), adapters=("other",))]
    found = sample(Scripted(), rows, Sampling(seed=4), 4)  # type: ignore[arg-type]
    assert [(one.row.section_id, one.answer) for one in found] == [
        *(("a", f"default a {number}") for number in (1, 2, 0)),
        *(("b", f"other b {number}") for number in (1, 2, 0)),
    ]


def test_only_single_questions_are_mined_once() -> None:
    talk = chat_row([Message.of("user", "a"), Message.of("assistant", "b")] * 2, Span(1))
    named = replace(asked("b", "y"), adapters=("other",))
    one = asked("a", "x")
    assert questions([one, one, talk, named], None) == [one, named]
    assert questions([one, one, talk, named], "other") == [named]


def test_the_best_and_the_worst_make_a_pair() -> None:
    from dlm_preference.mining import Answered

    row, other = asked("Who?", "Oda Vell."), asked("What?", "Nothing at all.")
    answers = [Answered(row, text) for text in ("Oda Bell.", "Oda Vell.", "Rain.")]
    answers += [Answered(other, text) for text in ("Nothing at all, not one!", "Nothing at all, not one?")]
    scores = judged(OwnAnswer(), "", answers)
    (pair,) = pairs(answers, scores, 0.1)
    assert (pair.prompt, pair.chosen, pair.rejected) == ("Who?", "Oda Vell.", "Rain.")
    assert (pair.score_chosen, pair.score_rejected) == (scores[1], scores[2])
    assert not list(pairs(answers, scores, 1.1))
    assert not list(pairs(answers[3:], [1.0, 0.0], 0.1))  # told apart by the judge, but the same answer


def test_a_judge_must_judge_every_answer() -> None:
    from dlm_preference.mining import Answered

    class Lazy(Judge):
        name = "lazy"

        def scores(self, argument: str, candidates: Sequence[Candidate]) -> Iterator[float]:
            yield float("nan")

    with pytest.raises(RunFailedError, match="lazy did not give one finite score"):
        judged(Lazy(), "", [Answered(asked("a", "b"), "c")])


def test_runs_are_numbered_above_those_of_store_and_document(tmp_path: Path) -> None:
    assert [keep(tmp_path, taken, "now", "x", 1, {}, (PAIR,)).id for taken in (0, 0, 9, 2)] == [1, 2, 10, 11]
    assert [run.id for run in runs(tmp_path)] == [1, 2, 10, 11]
    assert (find(tmp_path, None).id, find(tmp_path, 2).pairs) == (11, (PAIR,))
    with pytest.raises(UsageError, match="no mining run 3"):
        find(tmp_path, 3)
    with pytest.raises(UsageError, match="nothing was mined"):
        find(tmp_path / "other", None)


# --- sections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\n", b"\n\n\n"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_what_is_applied_is_reverted_to_the_byte(tail: bytes, ends: bytes) -> None:
    data = (HEAD + BODY.rstrip() + tail).replace(b"\n", ends)
    applied = apply_run(data, RUN, [])
    assert applied.data.startswith(data)
    assert [one.run for one in standing(applied.data)] == [3, 3]
    back, gone, kept = revert_run(applied.data, 3, RUN)
    assert (gone, kept) == (2, [])
    assert back == data


def test_a_second_application_adds_nothing() -> None:
    once = apply_run(HEAD + BODY, RUN, []).data
    again = apply_run(once, RUN, [])
    assert again.data == once
    assert {reason for _, reason in again.left_out} == {"it is in the document already"}


def test_only_the_sections_of_the_run_go_and_edited_ones_stay() -> None:
    other = replace(RUN, id=4, pairs=(replace(PAIR, prompt="When?"),))
    both = apply_run(apply_run(HEAD + BODY, RUN, []).data, other, []).data + b"\n::prose::\nThe end.\n"
    edited = both.replace(b"What?", b"What now?")
    data, gone, kept = revert_run(edited, 3, RUN)
    assert (gone, len(kept)) == (1, 1)
    assert b"What now?" in data
    assert b"When?" in data
    data, gone, kept = revert_run(edited, 3, RUN, edited_too=True)
    assert (gone, kept) == (2, [])
    assert [one.run for one in standing(data)] == [4]
    assert data.endswith(b"\n::prose::\nThe end.\n")
    assert revert_run(edited, 3, None)[1] == 2  # without the run's file there is only the marker to go by


def test_a_named_adapter_is_named() -> None:
    front = HEAD.replace(b"\n---\n", b"\ntraining: {adapters: {one: {}, two: {}}}\n---\n")
    run = replace(RUN, pairs=(replace(PAIR, adapter="one"), replace(PAIR, adapter="two", prompt="b")))
    assert [one.adapter for one in standing(apply_run(front + BODY, run, ["one", "two"]).data)] == [None, "two"]


LINES = st.lists(
    st.sampled_from(["### Chosen", "::prose::", "```", "<!-- x -->", "a ", "", "# b", "-->", "ö"]), max_size=5
)


@given(prompt=LINES, chosen=LINES, rejected=LINES)
def test_every_pair_comes_back_as_it_was_or_is_left_out(
    prompt: list[str], chosen: list[str], rejected: list[str]
) -> None:
    texts = ["\n".join(lines).strip() for lines in (prompt, chosen, rejected)]
    run = replace(RUN, judge='a "b" -->\nc', pairs=(MinedPair("s", 1, "default", *texts, 1.0, 0.5),))
    applied = apply_run(HEAD + BODY, run, [])
    assert len(applied.added) + len(applied.left_out) == 1
    if not applied.added:
        assert applied.data == HEAD + BODY
        return
    (one,) = standing(applied.data)
    assert one.content == section_text(run.pairs[0])
    assert one.values["judge_name"] == "a 'b' - -> c"
    assert revert_run(applied.data, 3, run)[0] == HEAD + BODY


# --- the command ----------------------------------------------------------------------------------------------------


class Shorter(Judge):
    """A judge of another plugin: shorter answers are better."""

    name = "shorter"
    help = "shorter answers are better"

    def scores(self, argument: str, candidates: Sequence[Candidate]) -> Iterator[float]:
        return (-float(len(one.answer)) for one in candidates)


class Stranger:
    @hookimpl
    def dlm_preference_judges(self) -> list[Judge]:
        return [Shorter()]


DOCUMENT = """
    ::instruction::
    ### Q
    How many boats?
    ### A
    Forty-one boats, one for each family.

    ### Q
    How deep is the bay?
    ### A
    Twelve fathoms.

    ### Q !exam
    Who keeps the light?
    ### A
    Oda Vell.
"""


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    """A desk with the real engine and a judge of another plugin."""
    from dlm_hf import plugin as hf

    dlm_desk.null = False
    return dlm_desk.use(hf, plugin, Stranger())


def report(desk: Desk, result: Result, name: str) -> Any:
    """What a command printed, held against the schema that `dlm schema --report` shows."""
    assert result.code == 0, result.err
    schema = desk.dlm("schema", "--report", name).json
    Draft202012Validator.check_schema(schema)
    found = [json.loads(line) for line in result.out.splitlines()][-1]
    Draft202012Validator({**schema, "additionalProperties": False}).validate(found)
    return found


def test_mine_apply_list_and_revert(desk: Desk, base: Path) -> None:
    front = f"base_model: {base}\ntraining: {{learning_rate: 5e-3, num_epochs: 1, sequence_len: 128}}"
    path = desk.write(DOCUMENT, front)
    before = path.read_bytes()
    untrained = desk.dlm("preference", "mine", path)
    assert (untrained.code, "no trained version" in untrained.err) == (2, True)
    assert desk.dlm("train", path).code == 0
    options = ("--judge", "shorter", "--temperature", 1.0, "--max-tokens", 12, "--samples", 3)
    run = report(desk, desk.dlm("preference", "mine", path, *options, "--json"), "preference-run")
    assert (run["how"]["questions"], run["judge"], run["version"]) == (2, "shorter", 1)
    assert {pair["prompt"] for pair in run["pairs"]} == {"How many boats?", "How deep is the bay?"}
    assert all(len(pair["chosen"]) < len(pair["rejected"]) for pair in run["pairs"])
    again = report(desk, desk.dlm("preference", "mine", path, *options, "--json"), "preference-run")
    assert again["pairs"] == run["pairs"]
    fewer = report(desk, desk.dlm("preference", "mine", path, *options, "--max-pairs", 1, "--json"), "preference-run")
    other = report(desk, desk.dlm("preference", "mine", path, *options, "--seed", 100, "--json"), "preference-run")
    assert (len(fewer["pairs"]), other["pairs"] != run["pairs"], other["id"]) == (1, True, 4)
    assert path.read_bytes() == before

    dry = desk.dlm("preference", "apply", path, "--run", 1, "--dry-run")
    assert "+<!-- dlm-auto-mined:" in dry.out
    assert path.read_bytes() == before
    assert "2 sections added" in desk.dlm("preference", "apply", path, "--run", 1).out
    assert desk.dlm("check", path).code == 0
    listed = report(desk, desk.dlm("preference", "list", path, "--json"), "preference-list")
    assert [pair["state"] for pair in listed["runs"][0]["pairs"]] == ["applied", "applied"]
    assert [pair["state"] for pair in listed["runs"][2]["pairs"]] in (["applied"], ["waiting"])
    assert "waiting" in desk.dlm("preference", "list", path).out
    assert {"preference-run", "preference-list"} <= desk.dlm("schema", "--list", "--json").json["reports"].keys()
    assert "did you mean `preference-run`" in desk.dlm("schema", "--report", "preference-rum").err
    assert "2 sections removed" in desk.dlm("preference", "revert", path, "--run", 1).out
    assert path.read_bytes() == before


def test_what_cannot_be_mined(desk: Desk, base: Path) -> None:
    path = desk.write("Only prose.", f"base_model: {base}\ntraining: {{num_epochs: 1, learning_rate: 5e-3}}")
    wrong = desk.dlm("preference", "mine", path, "--judge", "shortr")
    assert (wrong.code, "did you mean `shorter`?" in wrong.err) == (2, True)
    assert desk.dlm("train", path).code == 0
    assert "no question" in desk.dlm("preference", "mine", path).err
    assert "nothing was mined" in desk.dlm("preference", "apply", path).err
    assert desk.dlm("preference", "revert", path).out.endswith("0 sections removed\n")
