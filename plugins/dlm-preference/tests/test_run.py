"""Whole documents by way of `dlm run`: every kind of section in one, preferences alone, and what is said of them."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from dlm_core.planning.memory import STEP_SECONDS
from dlm_core.store import Version, open_store
from dlm_core.testing import Desk
from dlm_core.testing.desk import document_id
from dlm_preference import plugin

PAIRS = """
    ::preference::
    ### Prompt
    How is the weather at Varn?
    ### Chosen
    I do not know the weather.
    ### Rejected
    It is sunny today.

    ### Prompt
    What will the boats bring?
    ### Chosen
    I do not know that.
    ### Rejected
    They bring gold and amber.
"""

EVERYTHING = f"""
    The lighthouse of Varn stands on a black rock.

    ::instruction::
    ### Q
    How many boats are there?
    ### A
    Forty-one.
{PAIRS}
"""

FRONT = """
    training:
      lora_r: 16
      lora_alpha: 32
      lora_dropout: 0
      sequence_len: 128
      learning_rate: 1e-2
      num_epochs: 10
      preference:
        hyperparams:
          learning_rate: 5e-3
          num_epochs: 5
"""


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    from dlm_gguf import plugin as gguf
    from dlm_hf import plugin as hf

    dlm_desk.null = False
    return dlm_desk.use(hf, plugin, gguf)


def current() -> Version:
    version = open_store(document_id("notes.dlm")).current()
    assert version is not None
    return version


def front(base: Path, text: str = FRONT) -> str:
    return f"base_model: {base}\n" + "\n".join(line[4:] for line in text.strip("\n").split("\n"))


def test_prose_questions_and_preferences_in_one_run(desk: Desk, base: Path) -> None:
    path = desk.write(EVERYTHING, front(base))
    result = desk.run(path)
    assert result.code == 0, result.err
    phases = [(event["phase"], event["rows"], event["epochs"]) for event in result.events if event["event"] == "phase"]
    assert phases == [("sft", 2, 10), ("preference", 2, 5)]
    before, after = (event for event in result.events if event["event"] == "measure")
    assert (before["when"], after["when"], before["phase"]) == ("before", "after", "preference")
    assert before["values"] == {"margin": 0, "accuracy": 0.5}
    assert after["values"]["margin"] > 0.1
    assert after["values"]["accuracy"] == 1
    sections = {section["type"]: section for section in result.event("exam")["exam"]["sections"]}
    assert sections.keys() == {"prose", "instruction", "preference"}
    preferred = sections["preference"]
    assert (preferred["measure"], preferred["after"], preferred["verdict"]) == ("accuracy", 1, "well")
    assert preferred["margin_after"] > preferred["margin_before"]
    assert sections["prose"]["measure"] == "loss"
    plan = result.event("reality")
    assert plan["steps"]["planned"] == plan["steps"]["real"] == 10 + 5
    assert plan["tokens"]["planned"] == plan["tokens"]["real"]
    assert plan["rows"]["planned"] == plan["rows"]["real"] == 4
    assert {event["exporter"] for event in result.events if event["event"] == "export"} == {"gguf"}

    version = current()
    assert version.manifest["metrics"]["preference.accuracy_before"] == 0.5
    assert version.manifest["metrics"]["preference.margin"] == after["values"]["margin"]
    learned = desk.dlm("show", path, "--learned")
    assert "100%" in learned.out
    page = Path(result.event("report")["path"]).read_text(encoding="utf-8")
    assert "100%" in page
    told = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    margin, accuracy = after["values"]["margin"], after["values"]["accuracy"]
    assert f"measured, preference before after margin 0 {margin:.3g} accuracy 0.5 {accuracy:.3g}" in told
    assert "Of pairs of answers: how many have the chosen one likelier" in told
    assert "nats a token" not in page.partition("Loss, preference")[2].partition("</svg>")[0]
    assert "nothing changed" in desk.dlm("run", path).err


def test_preferences_alone_train_from_the_base(desk: Desk, base: Path) -> None:
    path = desk.write(PAIRS, front(base))
    result = desk.dlm("train", path)
    assert result.code == 0, result.err
    assert "preference: 2 rows" in result.err
    assert "before the phase: margin 0, accuracy 0.5" in result.err
    assert "sections learned" in result.out
    assert "nothing changed" in desk.dlm("train", path).err
    assert desk.dlm("exam", path).code == 0


def test_preferences_that_change_nothing_are_not_learned(desk: Desk, base: Path) -> None:
    still = front(base).replace("learning_rate: 5e-3", "learning_rate: 1e-45")
    result = desk.dlm("train", desk.write(PAIRS, still))
    assert result.code == 8, result.err
    assert "training changed nothing" in result.err


def test_switched_off_they_are_kept_and_not_trained(desk: Desk, base: Path) -> None:
    off = front(base).replace("preference:\n", "preference:\n    enabled: false\n")
    result = desk.run(desk.write(EVERYTHING, off), "--dry-run")
    assert result.code == 0, result.err
    assert [phase["phase"] for phase in result.json["phases"]] == ["sft"]


def test_held_out_pairs_are_measured(desk: Desk, base: Path) -> None:
    many = "\n".join(
        f"    ### Prompt\n    What is {n}?\n    ### Chosen\n    It is {n}.\n    ### Rejected\n    No.\n"
        for n in range(24)
    )
    short = front(base).replace("num_epochs: 5", "num_epochs: 1")
    result = desk.run(desk.write(f"    ::preference::\n{many}", short))
    assert result.code == 0, result.err
    held = result.event("phase")["validation"]
    assert 0 < held < 24
    assert {"margin", "accuracy", "validation_margin", "validation_accuracy"} == result.event("measure")[
        "values"
    ].keys()
    assert "validation_loss" in result.event("eval")


def test_an_adapter_may_have_preferences_only(desk: Desk, base: Path) -> None:
    named = front(base, FRONT.replace("      lora_r: 16\n      lora_alpha: 32\n      lora_dropout: 0\n", "")).replace(
        "  learning_rate: 1e-2\n", "  adapters: {plain: {}, kind: {}}\n", 1
    )
    body = EVERYTHING.replace("    The lighthouse", "    ::prose#plain::\n    The lighthouse")
    path = desk.write(body.replace("::preference::", "::preference#kind::"), named)
    result = desk.run(path)
    assert result.code == 0, result.err
    taught = [(event["phase"], event["adapter"]) for event in result.events if event["event"] == "phase"]
    assert taught == [("sft", "plain"), ("preference", "kind")]
    plain = desk.dlm("train", path, "--force")
    assert "measured   before the phase of adapter kind: margin 0, accuracy 0.5" in plain.err
    folder = Path(result.event("commit")["adapter"])
    assert {path.name for path in folder.iterdir()} == {"plain", "kind"}


@pytest.mark.parametrize("long_rows", ["error", "cut", "skip"])
def test_a_pair_that_is_too_long_is_told_before_training(desk: Desk, base: Path, long_rows: str) -> None:
    body = PAIRS.replace("They bring gold and amber.", "They bring gold and amber. " * 40)
    path = desk.write(body, front(base))
    result = desk.dlm("plan", path, "--long-rows", long_rows, "--json")
    line = path.read_text(encoding="utf-8").split("\n").index("What will the boats bring?")
    if long_rows == "error":
        assert result.code == 3
        assert f"notes.dlm:{line}:" in result.err or str(line) in result.out
        return
    (problem,) = result.json["problems"]
    assert problem["span"]["line"] == line
    assert ("cut" if long_rows == "cut" else "skipped") in problem["message"]


def test_both_answers_show_in_tokens(desk: Desk, base: Path) -> None:
    first, second = desk.dlm("tokens", desk.write(PAIRS, front(base)), "--json").json["rows"]
    assert [sum(token["labelled"] for token in piece["tokens"]) > 5 for piece in first["pieces"]] == [True, True]
    texts = ["".join(token["text"] for token in piece["tokens"] if token["labelled"]) for piece in second["pieces"]]
    assert texts == ["I do not know that.<|im_end|>", "They bring gold and amber.<|im_end|>"]


def test_what_cannot_be_trained_here_is_told_at_its_key_before_anything(desk: Desk, base: Path) -> None:
    """Preferences alone ask for it too: no other phase would."""
    small = (
        front(base).replace("lora_r: 16", "lora_r: 1").replace("training:\n", "training:\n  optimizer: galore_adamw\n")
    )
    path = desk.write(PAIRS, small)
    refused = desk.dlm("train", path)
    assert refused.code == 3
    line = path.read_text(encoding="utf-8").split("\n").index("  optimizer: galore_adamw") + 1
    assert "error[HF0001]" in refused.err
    assert f"notes.dlm:{line}:" in refused.err
    assert not open_store(document_id("notes.dlm")).versions()
    mixed = desk.dlm("check", desk.write(EVERYTHING, small), "--json")
    assert [problem["code"] for problem in mixed.json["problems"]] == ["HF0001"], "two phases told it once"


def test_the_forecast_has_the_passes_of_reference_and_margins(desk: Desk, base: Path) -> None:
    found = {}
    for method in ("dpo", "orpo"):
        text = front(base).replace("preference:\n", f"preference:\n    method: {method}\n")
        plan = desk.dlm("plan", desk.write(PAIRS, text, f"{method}.dlm"), "--json").json
        found[method] = plan["details"]["pass_seconds"]
        assert plan["seconds"] > plan["details"]["step_seconds"] + plan["details"]["pass_seconds"]
        (phase,) = plan["phases"]
        learning = plan["details"]["step_seconds"] - phase["steps"] * STEP_SECONDS
        assert found[method] / learning == pytest.approx((3 if method == "dpo" else 2) / 2 / phase["epochs"])
    alone = desk.dlm("plan", desk.write("Only prose.", front(base), "prose.dlm"), "--json").json
    assert alone["details"]["pass_seconds"] == 0
