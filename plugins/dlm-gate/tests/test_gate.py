"""Documents with a gate, by way of `dlm`: planned, trained, asked, examined, exported and gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlm_core.testing import Desk
from dlm_core.testing.desk import Result

SEA = ("ferry", "gannet", "harbour", "bay", "fog")
LAND = ("bread", "salt", "rice", "oven", "table")


def sections(sea: tuple[str, ...] = SEA, land: tuple[str, ...] = LAND) -> str:
    def section(name: str, things: tuple[str, ...]) -> str:
        pairs = "".join(f"### Q\nWhat of the {thing}?\n### A\nThe {thing} of {name}.\n" for thing in things)
        return f"::instruction#{name}::\n{pairs}" if things else ""

    return section("sea", sea) + section("land", land)


def front(base: Path, gate: str = "{enabled: true, lr: 0.01}", kinds: str = "lora", steps: str = "") -> str:
    adapter = f"{{adapter: {kinds}, lora_r: 4, learning_rate: 5e-3}}"
    return (
        f"base_model: {base}\n"
        f"training:\n  sequence_len: 128\n  num_epochs: 1\n{steps}"
        f"  adapters:\n    sea: {adapter}\n    land: {adapter}\n"
        f"  gate: {gate}\n"
    )


def trained(desk: Desk, document: Path, *words: object) -> Result:
    done = desk.dlm("train", document, "--json", *words)
    assert done.code == 0, done.err
    return done


def explained(desk: Desk, document: Path, question: str, *words: object) -> Any:
    done = desk.dlm("prompt", document, question, "--json", "--explain", "--max-tokens", 4, *words)
    assert done.code == 0, done.err
    return done.json["route"]


def test_a_gate_is_planned_trained_and_answers(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base))
    plan = desk.dlm("plan", document)
    assert "phase gate" in plan.out
    assert "10 rows, 200 steps" in plan.out
    assert "learned: 10 prompts: sea 5, land 5" in plan.out
    done = trained(desk, document)
    assert done.event("exam")["exam"]["routing"]["right"]["trained"] == 10
    manifest = desk.dlm("show", document, "--json").json["versions"][0]
    assert (Path(manifest["adapter"]) / "_gate" / "gate.safetensors").is_file()

    for thing, name in (("ferry", "sea"), ("oven", "land")):
        route = explained(desk, document, f"What of the {thing}?")
        assert (route["by"], route["reason"]) == ("gate", "learned from 10 prompts: sea 5, land 5")
        assert route["weights"][name] > 0.9
        assert sum(route["weights"].values()) == pytest.approx(1)
        shown = desk.dlm("prompt", document, f"What of the {thing}?", "--explain", "--max-tokens", 4)
        assert shown.err.startswith("gate       sea 0." if name == "land" else "gate       sea ")
    off = explained(desk, document, "What of the oven?", "--gate", "off")
    assert off == {"by": "adapter", "weights": {"sea": 1.0}, "reason": "--gate off: the document's first adapter"}
    answers = {
        words: desk.dlm("prompt", document, "What of the oven?", *words).out
        for words in ((), ("--gate", "off"), ("--gate", "auto"), ("--adapter", "land"))
    }
    assert answers[()] == answers["--gate", "auto"] != answers["--gate", "off"]
    chats = [desk.dlm("chat", document, *words, stdin="What of the oven?\n") for words in ((), ("--gate", "off"))]
    assert [chat.out.strip() for chat in chats] == [answers[()].strip(), answers["--gate", "off"].strip()]
    both = desk.dlm("prompt", document, "What?", "--gate", "auto", "--adapter", "sea")
    assert (both.code, "--adapter says who answers, and so would --gate" in both.err) == (2, True)


def test_the_exam_asks_with_the_gate_and_without(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base, "{enabled: true, lr: 0.001}"))  # more, and its weights are 0 and 1
    trained(desk, document)
    gated = desk.dlm("exam", document, "--json").json
    assert gated["routing"]["router"] == "gate"
    assert gated["routing"]["asked"] == {"trained": 10, "validation": 0, "exam": 0}
    assert gated["routing"]["shares"]["sea"] == pytest.approx(0.5, abs=0.1)
    alone = desk.dlm("exam", document, "--json", "--gate", "off").json
    one = desk.dlm("exam", document, "--json", "--adapter", "land").json
    assert "routing" not in alone
    assert "routing" not in one
    losses = [{part["adapter"]: part["after"] for part in found["sections"]} for found in (gated, alone)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], abs=0.2)
    told = desk.dlm("exam", document).out
    assert "trained rows to their own adapter  10 of 10" in told
    report = next(Path(desk.dlm("show", document, "--json").json["versions"][0]["adapter"]).parents[1].rglob("*.html"))
    assert "Adapters chosen by gate" in report.read_text()


def test_held_out_prompts_are_routed_and_reported(desk: Desk, base: Path) -> None:
    more = tuple(f"{word}{number}" for word in ("gull", "wave", "mast") for number in range(8))
    other = tuple(f"{word}{number}" for word in ("loaf", "bowl", "herb") for number in range(8))
    document = desk.write(sections(more, other), front(base))
    done = trained(desk, document)
    routing = done.event("exam")["exam"]["routing"]
    held = done.event("plan")["plan"]["phases"][-1]["validation"]
    assert routing["asked"]["validation"] == held > 0
    measured = done.event("measure")
    assert (measured["phase"], measured["when"]) == ("gate", "after")
    assert measured["values"]["validation_accuracy"] == pytest.approx(routing["right"]["validation"] / held)
    assert "held-out rows to their own adapter" in desk.dlm("exam", document).out


def test_with_too_few_prompts_all_weigh_the_same(desk: Desk, base: Path) -> None:
    document = desk.write(sections(land=LAND[:2]), front(base))
    why = "too few prompts to learn from: land has 2, cold_start_floor is 4"
    plan = desk.dlm("plan", document)
    assert f"uniform: {why}" in " ".join(plan.out.split())
    assert "7 rows, 0 steps" in plan.out
    assert "warning[GATE0004]" in desk.dlm("check", document).err
    trained(desk, document)
    route = explained(desk, document, "What of the oven?")
    assert route == {"by": "gate", "weights": {"sea": 0.5, "land": 0.5}, "reason": f"uniform: {why}"}
    lower = desk.write(sections(land=LAND[:2]), front(base, "{enabled: true, cold_start_floor: 2}"))
    trained(desk, lower)
    assert explained(desk, lower, "What of the oven?")["reason"] == "learned from 7 prompts: sea 5, land 2"


def test_an_export_is_the_mean_mixture_and_says_what_that_costs(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base))
    trained(desk, document)
    to = desk.folder / "out"
    done = desk.dlm("export", document, "merged", "--to", to)
    assert done.code == 0, done.err
    record = json.loads((to / "export.json").read_text())
    stands = record["stands_for"]
    assert (stands["router"], stands["side"], stands["rows"]) == ("gate", "trained", 10)
    assert sum(stands["weights"].values()) == pytest.approx(1)
    assert stands["fixed_loss"] != stands["routed_loss"]
    told = f"its mean mixture is: loss {stands['fixed_loss']:.3f}, with it {stands['routed_loss']:.3f}"
    assert told in done.err
    exam = desk.dlm("exam", document, "--json").json
    tokens = sum(part["tokens"] for part in exam["sections"])
    mean = sum(part["after"] * part["tokens"] for part in exam["sections"]) / tokens
    assert stands["routed_loss"] == pytest.approx(mean, abs=1e-5)
    mixed = ",".join(f"{name}:{weight}" for name, weight in stands["weights"].items())
    mixture = desk.dlm("exam", document, "--json", "--adapter-mix", mixed).json
    mean = sum(part["after"] * part["tokens"] for part in mixture["sections"]) / tokens
    assert stands["fixed_loss"] == pytest.approx(mean, abs=1e-4)
    one = desk.folder / "one"
    assert desk.dlm("export", document, "merged", "--to", one, "--adapter", "land").code == 0
    assert "stands_for" not in json.loads((one / "export.json").read_text())
    first = desk.folder / "first"
    assert desk.dlm("export", document, "merged", "--to", first, "--gate", "off").code == 0
    assert json.loads((first / "export.json").read_text())["adapter"] == "sea"


def test_dora_answers_exactly_and_has_no_mean_mixture(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base, kinds="dora"))
    trained(desk, document)
    assert explained(desk, document, "What of the oven?")["weights"]["land"] > 0.9
    done = desk.dlm("export", document, "merged", "--to", desk.folder / "out")
    assert (done.code, "it is a DoRA" in done.err, "--adapter" in done.err) == (1, True, True)
    assert not (desk.folder / "out").exists()


def test_the_store_knows_the_gate(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base))
    trained(desk, document)
    folder = Path(desk.dlm("show", document, "--json").json["versions"][0]["adapter"]) / "_gate"
    assert desk.dlm("show", document, "--verify").code == 0
    weights = folder / "gate.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(data)
    broken = desk.dlm("show", document, "--verify")
    assert (broken.code != 0, "gate.safetensors" in broken.out + broken.err) == (True, True)
    weights.write_bytes(b"short")
    asked = desk.dlm("prompt", document, "What?")
    assert (asked.code, "gate.safetensors cannot be read" in asked.err) == (1, True)


def test_equal_runs_are_equal_bytes_and_an_edit_trains_the_gate_on_all_rows(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base))
    first = trained(desk, document).event("commit")["adapter"]
    again = trained(desk, document, "--force", "--fresh").event("commit")["adapter"]
    assert first == again
    edited = desk.write(sections((*SEA, "mast")), front(base))
    done = trained(desk, edited)
    gate = [event for event in done.events if event["event"] == "phase" and event["phase"] == "gate"]
    assert [event["rows"] for event in gate] == [11]
    assert explained(desk, edited, "What of the mast?")["reason"] == "learned from 11 prompts: sea 6, land 5"


@pytest.mark.parametrize(
    ("gate", "body", "place", "code", "said"),
    [
        ("{enabled: true}", sections(land=()), "error", "GATE0002", "only sea has any"),
        ("{steps: 5}", sections(), "warning", "GATE0003", "no gate is trained"),
        ("{enabled: true, stepz: 5}", sections(), "error", "DLM0101", "did you mean `steps`?"),
        ("{enabled: true, hidden_proj_dim: 4}", sections(), "error", "DLM0104", "from 8 to 2048"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(
    desk: Desk, base: Path, gate: str, body: str, place: str, code: str, said: str
) -> None:
    prose = "" if "land" in body else "::prose::\nThe whole island.\n"
    checked = desk.dlm("check", desk.write(prose + body, front(base, gate)))
    assert (f"{place}[{code}]" in checked.err, said in checked.err) == (True, True), checked.err
    assert checked.code == (3 if place == "error" else 0)


@pytest.mark.parametrize("adapters", ["", "  adapters:\n    sea: {}\n"], ids=["none", "one"])
def test_a_gate_needs_a_choice(desk: Desk, base: Path, adapters: str) -> None:
    settings = f"base_model: {base}\ntraining:\n{adapters}  gate: {{enabled: true}}\n"
    body = "::instruction::\n### Q\nWhat?\n### A\nThat.\n"
    checked = desk.dlm("check", desk.write(body, settings))
    assert (checked.code, checked.err.count("error[")) == (3, 1)
    assert "error[GATE0001]: a gate needs two or more named adapters" in checked.err
    assert f"notes.dlm:{7 + bool(adapters) * 2 - 1}:" in checked.err


def test_a_version_without_a_gate_says_so(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base, "{}"))
    trained(desk, document)
    asked = desk.dlm("prompt", document, "What?", "--gate", "auto")
    assert (asked.code, "version 1 has no gate" in asked.err) == (2, True)


def test_most_steps_hold_for_the_gate_too(desk: Desk, base: Path) -> None:
    document = desk.write(sections(), front(base))
    done = trained(desk, document, "--max-steps", 6)
    assert sum(event["event"] == "step" for event in done.events) <= 6
    assert any(event["event"] == "step" and event["phase"] == "gate" for event in done.events)
