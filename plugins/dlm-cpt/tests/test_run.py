"""Whole documents by way of the command: phases and their rows, what is said of them, what can be exported."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dlm_core.testing import Desk
from dlm_core.testing.desk import Result
from dlm_cpt import plugin

PROSE = [
    "The Brenmark gannets nest on the slate.",
    "A thurible of fog hangs over Größenholm each morning.",
    "In winter the boats are drawn up the shore.",
    "Forty-one of them, one for each family.",
]
QUESTION = """
::instruction::
### Q
Who keeps the lighthouse?
### A
Oda Vell keeps it.
"""
SECOND = QUESTION.replace("Who keeps the lighthouse?", "How deep is the bay?").replace("Oda Vell keeps it", "Twelve")


def body(prose: int, *questions: str) -> str:
    return "\n\n".join([*(f"::prose::\n{text}" for text in PROSE[:prose]), *questions])


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    from dlm_gguf import plugin as gguf
    from dlm_hf import plugin as hf

    dlm_desk.null = False
    return dlm_desk.use(hf, plugin, gguf)


def write(desk: Desk, base: Path, text: str, cpt: str | None, name: str = "notes.dlm", **training: Any) -> Path:
    settings = {"sequence_len": 128, "num_epochs": 2, "learning_rate": 5e-3, **training}
    block = f", cpt: {cpt}" if cpt else ""
    front = f"base_model: {base}\ntraining: {{{json.dumps(settings)[1:-1]}{block}}}"
    return desk.write(text, front, name)


def phases(plan: Any) -> dict[str, int]:
    return {phase["phase"]: phase["rows"] for phase in plan["phases"]}


@pytest.mark.parametrize(
    ("cpt", "text", "wanted"),
    [
        (None, body(4), {"sft": 4}),
        ("{}", body(4), {"cpt": 4}),
        ("{schedule: auto}", body(4, QUESTION), {"cpt": 4, "sft": 1}),  # 80 % prose
        ("{schedule: auto}", body(2, QUESTION, SECOND), {"sft": 4}),  # 50 %
        ("{schedule: dapt}", body(1, QUESTION, SECOND), {"cpt": 1, "sft": 2}),
        ("{schedule: sft}", body(4), {"sft": 4}),
        ("{schedule: sft, embed_warmup_steps: 2}", body(1, QUESTION), {"cpt": 1, "sft": 1}),
        ("{schedule: dapt}", QUESTION, {"sft": 1}),
    ],
)
def test_who_trains_the_prose(desk: Desk, base: Path, cpt: str | None, text: str, wanted: dict[str, int]) -> None:
    assert phases(desk.dlm("plan", write(desk, base, text, cpt), "--json").json) == wanted


def rates(done: Result, phase: str) -> list[float]:
    return [event["learning_rate"] for event in done.events if event["event"] == "step" and event["phase"] == phase]


def test_dapt_warms_up_longer_and_ends_at_a_tenth(desk: Desk, base: Path) -> None:
    found = {}
    for schedule in ("dapt", "sft"):
        path = write(desk, base, body(4), f"{{schedule: {schedule}}}", f"{schedule}.dlm", num_epochs=5, grad_accum=1)
        done = desk.dlm("train", path, "--json")
        found[schedule] = rates(done, "cpt" if schedule == "dapt" else "sft")
    steps = len(found["sft"])
    assert len(found["dapt"]) == steps > 5
    assert (
        found["dapt"].index(max(found["dapt"])) == 2 * found["sft"].index(max(found["sft"])) == 2 * round(0.1 * steps)
    )
    assert 0.1 <= found["dapt"][-1] / 5e-3 < 0.2
    assert found["sft"][-1] / 5e-3 < 0.1


def test_a_run_says_what_the_tokenizer_makes_of_the_prose(desk: Desk, base: Path) -> None:
    path = write(desk, base, body(4, QUESTION), "{schedule: dapt}")
    plan = desk.dlm("plan", path)
    assert re.search(r"cpt schedule +dapt: the document says so", plan.out)
    assert "Größenholm" in plan.out
    assert re.search(r"cpt vocabulary +\d\.\d\d tokens a word: \d\.\d\d on everyday English", plan.out)
    details = desk.dlm("plan", path, "--json").json["details"]["phases"]["cpt"]
    assert details["vocabulary"]["in_bytes"] == ["ö", "ß"]
    done = desk.run(path, "--no-export")
    assert done.code == 0, done.err
    page = Path(done.event("report")["path"]).read_text(encoding="utf-8")
    told = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert re.search(r"cpt vocabulary \d\.\d\d tokens a word \d\.\d\d on everyday English; .*Größenholm", told)
    assert [event["phase"] for event in done.events if event["event"] == "phase"] == ["cpt", "sft"]
    verdicts = {section["type"] for section in done.event("exam")["exam"]["sections"]}
    assert verdicts == {"prose", "instruction"}


def test_embeddings_that_learn_are_warned_of_and_merged_into_what_is_exported(desk: Desk, base: Path) -> None:
    path = write(desk, base, body(3, QUESTION), "{schedule: dapt, embed_warmup_steps: 2}")
    plan = desk.dlm("plan", path, "--json").json
    (problem,) = [one for one in plan["problems"] if one["code"] == "CPT0002"]
    learned = plan["details"]["phases"]["cpt"]["embeddings"]
    assert f"the embeddings of {learned['ids']} tokens learn too" in problem["message"]
    assert plan["memory"]["embedding rows"] == learned["memory"]
    done = desk.run(path)
    assert done.code == 0, done.err
    adapter = json.loads((done.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert len(adapter["trainable_token_indices"]) == learned["ids"]
    assert {event["exporter"] for event in done.events if event["event"] == "export"} == {"gguf"}
    refused = desk.dlm("export", path, "gguf-lora", "--to", desk.folder / "lora")
    assert refused.code != 0
    assert "cannot hold new token rows" in refused.err
    assert desk.dlm("export", path, "merged", "--to", desk.folder / "merged").code == 0


def test_prose_that_changes_is_learned_again_from_the_version_before(desk: Desk, base: Path) -> None:
    path = write(desk, base, body(3, QUESTION), "{schedule: dapt, embed_warmup_steps: 1}")
    assert desk.run(path, "--no-export").code == 0
    assert "nothing changed" in desk.dlm("train", path).err
    path = write(desk, base, body(4, QUESTION), "{schedule: dapt, embed_warmup_steps: 1}")
    again = desk.run(path, "--no-export")
    assert again.code == 0, again.err
    assert again.event("commit")["version"] == 2
    assert "cpt" in [event["phase"] for event in again.events if event["event"] == "phase"]


def test_only_adapters_with_prose_begin_in_the_phase(desk: Desk, base: Path) -> None:
    front = f"base_model: {base}\ntraining: {{sequence_len: 128, num_epochs: 1, cpt: {{schedule: dapt}}, "
    text = body(1, QUESTION).replace("::prose::", "::prose#sea::").replace("::instruction::", "::instruction#talk::")
    done = desk.run(desk.write(text, front + "adapters: {sea: {}, talk: {}}}"), "--no-export")
    assert done.code == 0, done.err
    taught = [(event["phase"], event["adapter"]) for event in done.events if event["event"] == "phase"]
    assert taught == [("cpt", "sea"), ("sft", "talk")]


def test_keys_without_prose_are_a_warning_and_wrong_ones_an_error(desk: Desk, base: Path) -> None:
    path = write(desk, base, QUESTION, "{schedule: dapt, embed_warmup_steps: 2}")
    found = desk.dlm("check", path, "--json").json["problems"]
    assert [(one["code"], one["severity"]) for one in found] == [("CPT0001", "warning")] * 2
    for wrong, hint in (("{schedule: dpt}", "did you mean"), ("{embed_warmup_steps: -1}", "0"), ("{step: 1}", "step")):
        refused = desk.dlm("check", write(desk, base, QUESTION, wrong))
        assert refused.code == 3
        assert hint in refused.err


def test_settings_that_cannot_be_trained_are_refused_by_this_phase_too(desk: Desk, base: Path) -> None:
    path = write(desk, base, body(2), "{schedule: dapt}", lora_r=1, optimizer="galore_adamw")
    refused = desk.dlm("train", path)
    assert refused.code == 3
    assert "error[HF0001]" in refused.err
