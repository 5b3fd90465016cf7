"""Each phase with each kind of adapter through `dlm train`: dividing a step and interruptions change nothing."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dlm_core import hookimpl
from dlm_core.api import Event
from dlm_core.plugins.finder import find_plugins
from dlm_core.testing import Desk
from dlm_core.testing.desk import Result

pytestmark = pytest.mark.skipif(find_spec("dlm_hf") is None, reason="needs the engine")

PROSE = "\n\n".join(
    f"::prose::\n{text}"
    for text in (
        "The harbour lies under a hill of slate, and every morning the fog rings its small bells.",
        "In winter the boats are drawn up the shore.",
        "Forty-one of them, one for each family.",
        "How deep is the bay? Twelve fathoms.",
        "A gannet folds its wings and falls.",
    )
)
QUESTIONS = "::instruction::\n" + "\n".join(
    f"### Q\nHow many boats has house {number}?\n### A\nIt has {number} boats{' on the shore' * (number % 3)}.\n"
    for number in range(5)
)
PAIRS = "::preference::\n" + "\n".join(
    f"### Prompt\nWhat will boat {number} bring?\n### Chosen\nI do not know that.\n"
    f"### Rejected\nIt brings gold{' and amber' * (number % 3)}.\n"
    for number in range(5)
)
#: Adam's step is about the rate however small a gradient: where one is next to nothing, so is its sign, and the order
#: in which rows are summed moves a weight by a share of the rate.
RATE = 3e-4
#: Phase and method -> the sections it trains on and its own keys.
PHASES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "cpt": (PROSE, {"cpt": {"schedule": "dapt", "embed_warmup_steps": 1}}),
    "sft": (PROSE + "\n\n" + QUESTIONS, {}),
    "dpo": (PAIRS, {"preference": {"method": "dpo", "hyperparams": {"learning_rate": RATE, "num_epochs": 2}}}),
    "orpo": (PAIRS, {"preference": {"method": "orpo", "hyperparams": {"learning_rate": RATE, "num_epochs": 2}}}),
}
KINDS = ("lora", "dora", "qlora")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dlm_hf.testing import make_small_base

    return make_small_base(tmp_path_factory.mktemp("phases") / "base")


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    dlm_desk.null = False
    for found in find_plugins():
        dlm_desk.use(found.load())
    return dlm_desk


def write(desk: Desk, base: Path, name: str, body: str, kind: str, **training: Any) -> Path:
    usual = {"adapter": kind, "lora_r": 4, "lora_alpha": 8, "sequence_len": 128, "learning_rate": RATE}
    front = f"base_model: {base}\ntraining: {json.dumps({**usual, 'num_epochs': 2, **training})}"
    path = desk.write("", front, f"{name}.dlm")
    path.write_text(path.read_text() + body, encoding="utf-8")
    return path


def tensors(done: Result) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    assert done.code == 0, done.err
    return load_file(done.adapter / "adapter_model.safetensors")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", PHASES)
def test_four_of_one_are_one_of_four(desk: Desk, small: Path, phase: str, kind: str) -> None:
    assert divided(desk, small, phase, kind, "fp32") < 1e-6


def test_in_bf16_four_of_one_are_nearly_one_of_four(desk: Desk, small: Path) -> None:
    assert divided(desk, small, "sft", "lora", "bf16") < 2e-3


def divided(desk: Desk, small: Path, phase: str, kind: str, precision: str) -> float:
    """How far an adapter trained on four rows at a time is from one trained on one at a time, four times a step."""
    body, keys = PHASES[phase]
    found = []
    for micro, accumulate in ((4, 1), (1, 4)):
        batch = {"micro_batch_size": micro, "grad_accum": accumulate, "lora_dropout": 0, "precision": precision}
        done = desk.dlm("train", write(desk, small, f"by{micro}", body, kind, **keys, **batch), "--json")
        trained = {event["phase"] for event in done.events if event["event"] == "phase"}
        assert trained == {"preference" if "preference" in keys else phase}
        found.append(tensors(done))
    assert found[0].keys() == found[1].keys()
    assert any(float(one.abs().max()) > RATE for name, one in found[0].items() if "lora_B" in name)
    return max(float((found[0][name] - found[1][name]).abs().max()) for name in found[0])


class Interruption:
    """Presses ctrl-c at one step of one phase."""

    def __init__(self, phase: str, step: int) -> None:
        self.phase, self.step, self.now = phase, step, ""

    @hookimpl
    def dlm_event(self, event: Event) -> None:
        self.now = event.data["phase"] if event.kind == "phase" else self.now
        if event.kind == "step" and (self.now, event.data["step"]) == (self.phase, self.step):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("kind", "method"), [("lora", "dpo"), ("dora", "orpo"), ("qlora", "dpo")])
def test_each_phase_resumes_to_the_same_bits(desk: Desk, small: Path, kind: str, method: str) -> None:
    body = "\n\n".join((PROSE, QUESTIONS, PAIRS))
    keys = {**PHASES["cpt"][1], **PHASES[method][1], "lora_dropout": 0.2}
    batch = {"micro_batch_size": 1, "grad_accum": 2}
    whole = tensors(desk.dlm("train", write(desk, small, "whole", body, kind, **keys, **batch), "--json"))
    for number, (phase, step) in enumerate((("cpt", 1), ("cpt", 4), ("sft", 2), ("preference", 1), ("preference", 5))):
        path = write(desk, small, f"cut{number}", body, kind, **keys, **batch)
        stopping = Desk(desk.folder, null=False, _used=list(desk._used)).use(Interruption(phase, step))
        stopped = stopping.dlm("train", path, "--json")
        assert stopped.code == 130, (phase, stopped.err)
        assert not desk.dlm("show", path, "--json").json["versions"]
        found = tensors(desk.dlm("train", path, "--resume", "--json"))
        assert all(found[name].equal(whole[name]) for name in whole), (phase, step)


@pytest.mark.parametrize("phase", PHASES)
def test_a_loss_that_is_not_finite_names_its_lines_and_keeps_nothing(desk: Desk, small: Path, phase: str) -> None:
    body, keys = PHASES[phase]
    wild = json.loads(json.dumps(keys).replace(str(RATE), "1e38"))
    path = write(desk, small, "wild", body, "lora", **{"learning_rate": 1e38, **wild, "num_epochs": 9})
    done = desk.dlm("train", path)
    assert done.code == 1, done.err
    said = re.search(
        r"became NaN or infinite on the rows of lines? ([\d, ]+)\n"
        r" +help: lower (\S+?)(?:, or set training.precision: fp32)?; no version",
        done.err,
    )
    assert said, done.err
    assert said[2] == f"training.{'preference.hyperparams.' if 'preference' in keys else ''}learning_rate"
    lines = path.read_text(encoding="utf-8").split("\n")
    named = [lines[int(number) - 1] for number in said[1].split(",")]
    assert all(one.startswith("### ") or one in PROSE.split("\n") for one in named), named
    assert "" not in named
    assert not desk.dlm("show", path, "--json").json["versions"]
    assert not list((desk.folder.parent / "home").rglob("adapter_model.safetensors"))
