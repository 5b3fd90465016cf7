"""The same document gives the same bits: twice, interrupted and resumed, killed and resumed."""

from __future__ import annotations

import hashlib
import json
import random
import signal
from pathlib import Path

import pytest

from tests.conftest import LIGHTHOUSE, QUICK, Desk

#: Dropout on, so that the random state matters; 14 steps.
TRAINING = QUICK.replace("lora_dropout: 0", "lora_dropout: 0.1").replace("num_epochs: 12", "num_epochs: 7")


def adapter_hash(desk: Desk, path: Path) -> str:
    (version,) = [v for v in desk.dlm("show", path, "--json").json["versions"] if v["current"]]
    return hashlib.sha256((Path(version["adapter"]) / "default" / "adapter_model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    base = tmp_path_factory.mktemp("reference")
    desk = Desk(base, base / "home")
    path = desk.write(LIGHTHOUSE, TRAINING)
    assert desk.dlm("train", path).code == 0
    return adapter_hash(desk, path)


def test_the_same_seed_gives_the_same_bits(desk, reference):
    path = desk.write(LIGHTHOUSE, TRAINING, name="other-name.dlm")
    assert desk.dlm("train", path).code == 0
    assert adapter_hash(desk, path) == reference


def test_another_seed_gives_other_bits(desk, reference):
    path = desk.write(LIGHTHOUSE, TRAINING + "  seed: 7\n")
    assert desk.dlm("train", path).code == 0
    assert adapter_hash(desk, path) != reference


def stop_at(desk: Desk, path: Path, step: int, how: signal.Signals) -> int:
    """Run until the event of this step, send the signal, and return the exit code."""
    process = desk.start("train", path, "--json", env={"DLM_CHECKPOINT_SECONDS": "0"})
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if (event["event"], event.get("step")) == ("step", step):
            process.send_signal(how)
            break
    else:
        pytest.fail(f"no step {step}")
    process.communicate()
    return process.returncode


def test_interrupted_and_resumed_gives_the_same_bits(desk, reference):
    path = desk.write(LIGHTHOUSE, TRAINING)
    step = random.randint(1, 11)
    assert stop_at(desk, path, step, signal.SIGINT) == 130, f"interrupted at step {step}"
    assert not desk.dlm("show", path, "--json").json["versions"]
    resumed = desk.dlm("train", path, "--resume")
    assert resumed.code == 0, resumed.err
    assert adapter_hash(desk, path) == reference, f"interrupted at step {step}"


def test_killed_and_resumed_gives_the_same_bits(desk, reference):
    path = desk.write(LIGHTHOUSE, TRAINING)
    step = random.randint(2, 12)
    assert stop_at(desk, path, step, signal.SIGKILL) == -signal.SIGKILL
    resumed = desk.dlm("train", path, "--resume")
    assert resumed.code == 0, resumed.err
    assert adapter_hash(desk, path) == reference, f"killed at step {step}"


def test_resuming_a_changed_document_is_refused_and_says_what_changed(desk):
    path = desk.write(LIGHTHOUSE, TRAINING)
    assert stop_at(desk, path, 2, signal.SIGINT) == 130
    path.write_text(path.read_text().replace("ninety", "eighty"))
    refused = desk.dlm("train", path, "--resume")
    assert refused.code == 1
    assert "training rows changed since it started" in refused.err


def test_without_an_interrupted_run_there_is_nothing_to_resume(trained):
    desk, path, _ = trained
    refused = desk.dlm("train", path, "--resume")
    assert refused.code == 2
    assert "no interrupted run" in refused.err
