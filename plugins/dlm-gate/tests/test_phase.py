"""The phase by itself: the same bits after an interruption, and whatever the batch; too few prompts; what diverges."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import (
    AdapterSettings,
    Batch,
    Control,
    DivergedError,
    Event,
    InterruptedRunError,
    Message,
    Row,
    RunFailedError,
    Span,
    TrainJob,
    chat_row,
    text_row,
)
from dlm_gate import stored
from dlm_gate.phase import train
from dlm_gate.prompts import text_of_row
from dlm_hf.features import text_features
from dlm_hf.testing import make_job
from dlm_hf.tokens import load_coder

THINGS = {"sea": ("ferry", "gannet", "harbour", "bay", "fog"), "land": ("bread", "salt", "rice", "oven", "table")}


def rows() -> tuple[Row, ...]:
    """Five questions for each of two adapters, and prose for both."""
    made = [
        replace(
            chat_row([Message.of("user", f"What of the {thing}?"), Message.of("assistant", "Yes.")], Span(3)),
            adapters=(name,),
        )
        for name, things in THINGS.items()
        for thing in things
    ]
    return (*made, replace(text_row("The whole island.", Span(9)), adapters=("sea", "land")))


def job(base: Path, place: Path, *, gate: dict[str, Any] | None = None, **changes: Any) -> TrainJob:
    block = {
        "enabled": True,
        "hidden_proj_dim": 8,
        "steps": 12,
        "lr": 3e-3,
        "cold_start_floor": 4,
        "entropy_lambda": 0.01,
        **(gate or {}),
    }
    adapters = {name: AdapterSettings() for name in THINGS}
    config = {"training": {"adapters": {name: {} for name in THINGS}, "gate": block}}
    learned = [row for row in changes.pop("rows", rows()) if len(row.adapters) == 1]
    return make_job(base, learned, place, phase="gate", adapters=adapters, config=config, **changes)


def files(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((place / "out" / "_gate").iterdir())}


def stopping_at(step: int) -> Control:
    seen: list[Event] = []
    return Control(seen.append, lambda: sum(event.kind == "step" for event in seen) == step)


@pytest.mark.parametrize("step", [1, 5, 11])
def test_resuming_gives_the_same_bits(base: Path, tmp_path: Path, step: int) -> None:
    whole = train(job(base, tmp_path / "whole"))
    with pytest.raises(InterruptedRunError) as stopped:
        train(job(base, tmp_path / "parts", control=stopping_at(step)))
    assert stopped.value.step == step
    again = train(job(base, tmp_path / "parts", resume=True))
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert {**again.metrics, "seconds": 0} == {**whole.metrics, "seconds": 0}


def test_a_checkpoint_of_another_run_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        train(job(base, tmp_path, control=stopping_at(3)))
    with pytest.raises(RunFailedError, match="the checkpoint belongs to another run"):
        train(job(base, tmp_path, resume=True, fingerprint={"document": "other", "base": "b"}))


@pytest.mark.parametrize(
    "change",
    [{"batch": Batch(1, 4)}, {"batch": Batch(4, 1)}],
    ids=["1x4", "4x1"],
)
def test_how_rows_are_divided_into_micro_batches_changes_no_bit(
    base: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    train(job(base, tmp_path / "usual"))
    train(job(base, tmp_path / "other", **change))
    assert files(tmp_path / "other") == files(tmp_path / "usual")


@pytest.mark.parametrize(
    "change",
    [
        lambda base, place: job(base, place, gate={"hidden_proj_dim": 16}),
        lambda base, place: job(base, place, gate={"steps": 11}),
        lambda base, place: job(base, place, gate={"lr": 1e-3}),
        lambda base, place: job(base, place, gate={"entropy_lambda": 0.5}),
        lambda base, place: job(base, place, gate={"cold_start_floor": 6}),
        lambda base, place: job(base, place, rows=rows()[1:]),
    ],
    ids=["hidden_proj_dim", "steps", "lr", "entropy_lambda", "cold_start_floor", "rows"],
)
def test_every_setting_changes_the_gate(base: Path, tmp_path: Path, change: Callable[[Path, Path], TrainJob]) -> None:
    train(job(base, tmp_path / "usual"))
    train(change(base, tmp_path / "other"))
    assert files(tmp_path / "other") != files(tmp_path / "usual")


def test_the_entropy_term_keeps_mixtures(base: Path, tmp_path: Path) -> None:
    most = []
    for weight in (0.0, 0.5, 1.0):
        place = tmp_path / str(weight)
        train(job(base, place, gate={"entropy_lambda": weight, "steps": 150, "lr": 0.01}))
        gate = stored.read_network(place / "out" / "_gate")
        features = text_features(base, load_coder(base), [text_of_row(row) for row in rows()[:-1]])
        most.append(float(gate.weights(features).max(-1).values.mean()))
    assert most[0] > 0.95
    assert most[0] > most[1] + 0.02 > most[2] + 0.04


def test_with_too_few_prompts_nothing_is_learned(base: Path, tmp_path: Path) -> None:
    result = train(job(base, tmp_path, gate={"cold_start_floor": 6}))
    assert result.metrics == {"steps": 0}
    assert [*files(tmp_path)] == ["gate.json"]
    about = json.loads(files(tmp_path)["gate.json"])
    assert about["shares"] == [["sea", 0.5], ["land", 0.5]]
    assert about["reason"] == "too few prompts to learn from: sea has 5, land has 5, cold_start_floor is 6"


def test_held_out_prompts_are_measured(base: Path, tmp_path: Path) -> None:
    known = rows()
    gate = {"steps": 100, "lr": 0.01}
    result = train(job(base, tmp_path, rows=(*known[1:5], *known[6:]), validation=(known[0], known[5]), gate=gate))
    assert result.metrics["accuracy"] == 1.0
    assert result.metrics["validation_accuracy"] in (0.0, 0.5, 1.0)


def test_weights_that_are_not_finite_are_told(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlm_gate import network

    honest = network.loss
    monkeypatch.setattr(network, "loss", lambda *given: honest(*given) * float("nan"))
    with pytest.raises(DivergedError, match="the gate's weights became NaN or infinite in step 1"):
        train(job(base, tmp_path))
