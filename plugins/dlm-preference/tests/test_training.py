"""The phase: what is learned, held against the engine and against numbers of our own, and what every key changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from dlm_core.api import (
    AdapterSettings,
    Batch,
    Control,
    DivergedError,
    Event,
    InterruptedRunError,
    Row,
    RunFailedError,
    Span,
    TrainingSettings,
    preference_row,
)
from dlm_hf.open_model import HfOpenModel
from dlm_hf.testing import make_job
from dlm_preference.config import PreferenceConfig
from dlm_preference.phase import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dlm_core.api import TrainJob

LORA = AdapterSettings(lora_r=4, lora_alpha=8, lora_dropout=0.0)
STEPS = 6  # 5 pairs, two a step, two epochs


def rows(count: int = 5, adapter: str = "default") -> tuple[Row, ...]:
    found = (
        preference_row(
            f"How many boats has house {number}?",
            f"It has {number} boats" + " on the shore" * (number % 3) + ".",
            "Nobody knows " * (number % 2) + "that.",
            Span(10 + number),
        )
        for number in range(count)
    )
    return tuple(replace(row, index=number, section_id="p", adapters=(adapter,)) for number, row in enumerate(found))


def config(**changes: Any) -> dict[str, Any]:
    numbers = {"learning_rate": 5e-3, "num_epochs": 2} | changes.pop("hyperparams", {})
    block = PreferenceConfig.model_validate({**changes, "hyperparams": numbers})
    return {"training": {"preference": block.model_dump(mode="json")}}


def job_in(base: Path, place: Path, told: Mapping[str, Any] | None = None, **changes: Any) -> TrainJob:
    whole = config(**(told or {}))
    epochs = whole["training"]["preference"]["hyperparams"]["num_epochs"]
    usual = {
        "phase": "preference",
        "adapters": {"default": LORA},
        "settings": TrainingSettings(128, epochs),
        "config": whole,
    }
    return make_job(base, changes.pop("rows", rows()), place, **{**usual, **changes})


def adapter_bytes(place: Path, name: str = "default") -> bytes:
    return (place / "out" / name / "adapter_model.safetensors").read_bytes()


def tensors(place: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(place / "out/default/adapter_model.safetensors")


def engine(job: TrainJob, adapters: Path | None = None) -> HfOpenModel:
    return HfOpenModel(job.base, adapters, job.precision, job.system_prompt)


def summed(model: HfOpenModel, pairs: tuple[Row, ...], adapter: str | None) -> np.ndarray:
    """Each answer's summed log-probability (pairs, 2) and its tokens, by what the engine says of plain chats."""
    scores = list(model.score([chat for row in pairs for chat in row.choices or ()], adapter))
    return np.array([[-score.loss_sum, score.tokens] for score in scores]).reshape(-1, 2, 2)


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def started(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter to start from that is far from nothing."""
    place: Path = tmp_path_factory.mktemp("started")
    train(job_in(base, place, {"method": "orpo", "hyperparams": {"learning_rate": 2e-2}}))
    return place / "out"


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"loss_type": "sigmoid", "reference": "base"}, 0.3),
        ({"loss_type": "hinge", "reference": "base"}, 0.05),
        ({"loss_type": "ipo", "reference": "base"}, 0.5),
        ({"loss_type": "ipo", "reference": "pre_adapter"}, 0.5),
        ({"method": "orpo"}, 0.7),
    ],
)
def test_the_first_loss_is_that_of_the_engines_log_probabilities(
    base: Path, tmp_path: Path, started: Path, told: dict[str, Any], number: float
) -> None:
    """Masks, stop tokens, references and means: everything between a row and its loss, in 64 bits by other hands."""
    key = "alpha" if told.get("method") else "beta"
    events: list[Event] = []
    whole = {**told, "hyperparams": {key: number, "num_epochs": 1}}
    job = job_in(base, tmp_path, whole, start=started, batch=Batch(5, 1), control=Control(events.append))
    train(job)
    with engine(job, started) as model:
        found = summed(model, job.rows, "default")
        alone = summed(model, job.rows, None if told.get("reference") == "base" else "default")
    policy, counts, reference = found[..., 0], found[..., 1], alone[..., 0]
    if key == "alpha":
        mean = policy / counts
        odds = mean - np.log1p(-np.exp(mean))
        margins = odds[:, 0] - odds[:, 1]
        losses = -mean[:, 0] + number * np.logaddexp(0, -margins)
    else:
        gained = (policy - reference) / (counts if told["loss_type"] == "ipo" else 1)
        difference = gained[:, 0] - gained[:, 1]
        margins = number * difference
        losses = {
            "sigmoid": np.logaddexp(0, -margins),
            "hinge": np.maximum(0, 1 - margins),
            "ipo": (difference - 0.5 / number) ** 2,
        }[told["loss_type"]]
    before = next(event.data for event in events if event.kind == "measure")
    first = next(event.data for event in events if event.kind == "step")
    assert first["loss"] == pytest.approx(losses.mean(), rel=1e-6)
    assert before["values"]["margin"] == pytest.approx(margins.mean(), rel=1e-5, abs=1e-5)
    right = ((margins > 1e-9) + 0.5 * (np.abs(margins) <= 1e-9)).mean()
    assert before["values"]["accuracy"] == pytest.approx(right)


def test_the_engine_sees_after_training_what_training_said(base: Path, tmp_path: Path) -> None:
    told = {"reference": "base", "hyperparams": {"beta": 0.2, "num_epochs": 4}}
    job = job_in(base, tmp_path, told, validation=rows(7)[5:])
    metrics = train(job).metrics
    with engine(job, tmp_path / "out") as model:
        for side, some in (("", job.rows), ("validation_", job.validation)):
            gained = (summed(model, some, "default") - summed(model, some, None))[..., 0]
            margins = 0.2 * (gained[:, 0] - gained[:, 1])
            assert metrics[f"{side}margin"] == pytest.approx(margins.mean(), rel=1e-4)
            assert metrics[f"{side}accuracy"] == (margins > 0).mean()
    assert (metrics["margin_before"], metrics["accuracy_before"]) == (0, 0.5)
    assert metrics["margin"] > 0.2
    assert metrics["accuracy"] == 1
    assert metrics["validation_loss"] > 0


@pytest.mark.parametrize("method", ["dpo", "orpo"])
@pytest.mark.parametrize("batch", [Batch(1, 4), Batch(2, 2)])
def test_dividing_a_step_changes_nothing(base: Path, tmp_path: Path, batch: Batch, method: str) -> None:
    found = []
    for name, one in (("whole", Batch(4, 1)), ("divided", batch)):
        told = {"method": method, "hyperparams": {"learning_rate": 1e-3}}
        train(job_in(base, tmp_path / name, told, batch=one))
        found.append(tensors(tmp_path / name))
    assert max(float((found[0][name] - found[1][name]).abs().max()) for name in found[0]) < 1e-6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"method": "dpo"}, {"method": "orpo"}),
        ({"hyperparams": {"beta": 0.1}}, {"hyperparams": {"beta": 0.4}}),
        ({"method": "orpo"}, {"method": "orpo", "hyperparams": {"alpha": 0.9}}),
        ({"hyperparams": {"learning_rate": 5e-3}}, {"hyperparams": {"learning_rate": 1e-3}}),
        ({"hyperparams": {"num_epochs": 1}}, {"hyperparams": {"num_epochs": 2}}),
        ({"loss_type": "sigmoid"}, {"loss_type": "hinge"}),
        ({"loss_type": "sigmoid"}, {"loss_type": "ipo"}),
        ({"reference": "pre_adapter"}, {"reference": "base"}),
    ],
)
def test_every_key_changes_the_adapter(
    base: Path, tmp_path: Path, started: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    for name, told in (("one", one), ("other", other)):
        train(job_in(base, tmp_path / name, told, start=started))
    assert adapter_bytes(tmp_path / "one") != adapter_bytes(tmp_path / "other")


def test_the_reference_is_computed_once(base: Path, tmp_path: Path, started: Path) -> None:
    """However far the adapter goes, its loss is held against the numbers taken before the first step."""
    job = job_in(base, tmp_path, {"hyperparams": {"num_epochs": 3}}, start=started)
    train(job)
    kept = json.loads((tmp_path / "work/reference-default/kept.json").read_text())["value"]
    with engine(job, started) as model:
        np.testing.assert_allclose(np.array(kept), summed(model, job.rows, "default")[..., 0], rtol=1e-5)


# --- what may happen ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(
    base: Path, started: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, dict[str, float]]:
    place: Path = tmp_path_factory.mktemp("whole")
    metrics = train(noisy(base, place, started)).metrics
    return adapter_bytes(place), without_time(metrics)


def noisy(base: Path, place: Path, started: Path, **changes: Any) -> TrainJob:
    """A job with dropout, held-out pairs and divided steps."""
    adapters = {"default": replace(LORA, lora_dropout=0.2)}
    usual = {"batch": Batch(1, 2), "adapters": adapters, "validation": rows(7)[5:], "start": started}
    return job_in(base, place, {"reference": "base"}, **{**usual, **changes})


def without_time(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name != "seconds"}


def stop_after(count: int) -> Callable[[], bool]:
    asked = iter(range(count))
    return lambda: next(asked, count) >= count - 1


@pytest.mark.parametrize("step", [1, 3, STEPS - 1])
def test_stopping_at_a_step_and_resuming_gives_the_same_bits(
    base: Path, tmp_path: Path, started: Path, uninterrupted: tuple[bytes, dict[str, float]], step: int
) -> None:
    job = noisy(base, tmp_path, started)
    with pytest.raises(InterruptedRunError, match=f"after step {step} of {STEPS}"):
        train(replace(job, control=Control(stop_requested=stop_after(step))))
    torch.manual_seed(12345)
    found = train(replace(job, resume=True)).metrics
    assert adapter_bytes(tmp_path) == uninterrupted[0]
    assert without_time(found) == uninterrupted[1]


KILLED = """
import json, os, sys
from dlm_core.api import Control, TrainJob
from dlm_preference.phase import train
seen = []
def die(event):
    seen.append(event.kind)
    if seen.count("step") == 4:
        os.kill(os.getpid(), 9)
train(TrainJob.from_json(json.load(open(sys.argv[1])), Control(die)), checkpoint_every=0)
"""


def test_a_killed_process_resumes_to_the_same_bits(
    base: Path, tmp_path: Path, started: Path, uninterrupted: tuple[bytes, dict[str, float]]
) -> None:
    job = noisy(base, tmp_path, started)
    (tmp_path / "job.json").write_text(json.dumps(job.to_json()))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "job.json"], env={**os.environ}, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not (tmp_path / "out/default").exists()
    found = train(replace(job, resume=True)).metrics
    assert adapter_bytes(tmp_path) == uninterrupted[0]
    assert without_time(found) == uninterrupted[1]


def test_what_another_run_kept_is_refused(base: Path, tmp_path: Path, started: Path) -> None:
    job = noisy(base, tmp_path, started)
    with pytest.raises(InterruptedRunError):
        train(replace(job, control=Control(stop_requested=stop_after(2))))
    with pytest.raises(RunFailedError, match="document changed"):
        train(replace(job, resume=True, fingerprint={"document": "other", "base": "b"}))


def test_a_loss_that_is_not_finite_stops_at_its_lines(base: Path, tmp_path: Path, started: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "default").mkdir()
    for path in (started / "default").iterdir():
        (broken / "default" / path.name).write_bytes(path.read_bytes())
    file = broken / "default/adapter_model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if "lora_B" in name)
    save_file({**weights, name: weights[name] * float("nan")}, file, {"format": "pt"})
    with pytest.raises(DivergedError, match=r"NaN or infinite on the rows of lines? 1\d"):
        train(job_in(base, tmp_path / "run", start=broken))


@pytest.mark.parametrize(("long_rows", "kept"), [("cut", 5), ("skip", 4)])
def test_a_pair_with_an_answer_that_is_too_long(base: Path, tmp_path: Path, long_rows: str, kept: int) -> None:
    pairs = list(rows())
    pairs[2] = replace(pairs[2], data={**pairs[2].data, "rejected": "on the shore " * 60})
    events: list[Event] = []
    job = job_in(base, tmp_path, rows=pairs, control=Control(events.append), long_rows=long_rows)
    train(job)
    assert next(event.data["rows"] for event in events if event.kind == "phase") == kept
    with pytest.raises(RunFailedError, match=r"line 12: this conversation has .* 128 fit"):
        train(replace(job, long_rows="error"))


def test_adapters_learn_their_own_pairs_and_others_are_carried_over(base: Path, tmp_path: Path, started: Path) -> None:
    start = tmp_path / "start"
    for name in ("kind", "idle"):
        (start / name).mkdir(parents=True)
        for path in (started / "default").iterdir():
            (start / name / path.name).write_bytes(path.read_bytes())
    both = [*rows(3, "kind"), *rows(2, "new")]
    job = job_in(base, tmp_path, rows=both, adapters=dict.fromkeys(("kind", "idle", "new"), LORA), start=start)
    metrics = train(job).metrics
    assert adapter_bytes(tmp_path, "idle") == (start / "idle/adapter_model.safetensors").read_bytes()
    assert adapter_bytes(tmp_path, "kind") != (start / "kind/adapter_model.safetensors").read_bytes()
    assert {"kind/margin", "new/accuracy_before", "idle/steps"} <= metrics.keys()


def test_rows_of_another_kind_are_refused(base: Path, tmp_path: Path) -> None:
    (chat, _) = rows(1)[0].choices or ()
    with pytest.raises(RunFailedError, match="line 10: rows of kind chat are not for the phase preference"):
        train(job_in(base, tmp_path, rows=[chat]))
