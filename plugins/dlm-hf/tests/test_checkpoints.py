"""Stopping and resuming: the same bits as without, from every step; and checkpoints that are whole or absent."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from dlm_core.api import (
    Batch,
    Control,
    InterruptedRunError,
    Message,
    Row,
    RunFailedError,
    Span,
    TrainingSettings,
    chat_row,
)
from dlm_hf import checkpoints
from dlm_hf.sft import train
from dlm_hf.testing import make_job, make_small_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dlm_core.api import TrainJob

STEPS = 8  # 7 rows, two a step, two epochs


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("base")
    return make_small_base(path)


def rows(adapter: str = "default", count: int = 7) -> tuple[Row, ...]:
    return tuple(
        replace(
            chat_row(
                [Message.of("user", f"What is {number}?"), Message.of("assistant", "It is " + "a boat " * number)],
                Span(number + 1),
            ),
            adapters=(adapter,),
            index=number,
        )
        for number in range(count)
    )


def job_in(base: Path, place: Path, **changes: object) -> TrainJob:
    return make_job(base, rows(), place, **{"validation": rows(count=2), "batch": Batch(1, 2), **changes})


def stop_after(count: int) -> Callable[[], bool]:
    asked = iter(range(count))
    return lambda: next(asked, count) >= count - 1


def adapter_bytes(place: Path, name: str = "default") -> bytes:
    return (place / "out" / name / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, float]]:
    place: Path = tmp_path_factory.mktemp("whole")
    result = train(job_in(base, place))
    return adapter_bytes(place), without_time(result.metrics)


def without_time(metrics: object) -> dict[str, float]:
    return {name: value for name, value in dict(metrics).items() if name != "seconds"}  # type: ignore[call-overload]


@pytest.mark.parametrize("step", range(1, STEPS))
def test_stopping_at_a_step_and_resuming_gives_the_same_bits(
    base: Path, tmp_path: Path, uninterrupted: tuple[bytes, dict[str, float]], step: int
) -> None:
    job = job_in(base, tmp_path)
    with pytest.raises(InterruptedRunError, match=f"after step {step} of {STEPS}") as caught:
        train(replace(job, control=Control(stop_requested=stop_after(step))))
    assert "--resume" in (caught.value.hint or "")
    assert caught.value.step == step
    assert not (tmp_path / "out/default").exists()
    torch.manual_seed(12345)
    result = train(replace(job, resume=True))
    assert adapter_bytes(tmp_path) == uninterrupted[0]
    assert without_time(result.metrics) == uninterrupted[1]


def test_a_run_killed_between_periodic_checkpoints_resumes_to_the_same_bits(
    base: Path, tmp_path: Path, uninterrupted: tuple[bytes, dict[str, float]]
) -> None:
    class Killed(Exception):  # noqa: N818 - stands for a process that is gone
        pass

    seen = []

    def die(event: object) -> None:
        seen.append(event.kind)  # type: ignore[attr-defined]
        if seen.count("step") == 6:
            raise Killed

    job = job_in(base, tmp_path)
    with pytest.raises(Killed):
        train(replace(job, control=Control(die)), checkpoint_every=0)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["checkpoint-default-00000005"]
    train(replace(job, resume=True))
    assert adapter_bytes(tmp_path) == uninterrupted[0]


def test_resuming_without_a_checkpoint_starts_at_the_beginning(
    base: Path, tmp_path: Path, uninterrupted: tuple[bytes, dict[str, float]]
) -> None:
    train(job_in(base, tmp_path, resume=True))
    assert adapter_bytes(tmp_path) == uninterrupted[0]


def test_a_second_adapter_is_resumed_and_the_first_is_not_trained_again(base: Path, tmp_path: Path) -> None:
    kinds = ("first", "second")
    settings = job_in(base, tmp_path).adapters["default"]
    both = make_job(
        base,
        [row for name in kinds for row in rows(name, 4)],
        tmp_path / "a",
        adapters=dict.fromkeys(kinds, settings),
    )
    train(both)
    stopped = replace(both, out=tmp_path / "b/out", work=tmp_path / "b/work")
    with pytest.raises(InterruptedRunError):
        train(replace(stopped, control=Control(stop_requested=stop_after(5))))
    events: list[tuple[str, object]] = []
    control = Control(lambda event: events.append((event.kind, event.data.get("adapter"))))
    train(replace(stopped, resume=True, control=control))
    assert {adapter for kind, adapter in events if kind == "step"} == {"second"}
    for name in kinds:
        assert adapter_bytes(tmp_path / "a", name) == adapter_bytes(tmp_path / "b", name)


def test_another_document_is_refused_by_name(base: Path, tmp_path: Path) -> None:
    job = job_in(base, tmp_path)
    with pytest.raises(InterruptedRunError):
        train(replace(job, control=Control(stop_requested=stop_after(2))))
    changed = replace(job, resume=True, fingerprint={"document": "z", "base": "b"})
    with pytest.raises(RunFailedError, match="document changed"):
        train(changed)
    train(replace(changed, resume=False))


def test_a_checkpoint_holds_no_pickle(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        train(job_in(base, tmp_path, control=Control(stop_requested=stop_after(5))))
    files = sorted(path.name for path in (tmp_path / "work").rglob("*") if path.is_file())
    assert files == ["state.json", "state.safetensors"]


def test_a_damaged_checkpoint_is_named(base: Path, tmp_path: Path) -> None:
    job = job_in(base, tmp_path)
    with pytest.raises(InterruptedRunError):
        train(replace(job, control=Control(stop_requested=stop_after(2))))
    (path,) = (tmp_path / "work").rglob("state.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunFailedError, match="damaged"):
        train(replace(job, resume=True))


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_refuses_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    first = checkpoints.write(tmp_path, "checkpoint-x-1", {"a": torch.ones(3)}, {"step": 1})

    def refuse(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(RunFailedError, match="No space left"):
            checkpoints.write(tmp_path, "checkpoint-x-2", {"a": torch.zeros(3)}, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-x-1"]
    assert checkpoints.latest(tmp_path, "checkpoint-x-") == first
    tensors, state = checkpoints.read(first)
    assert tensors["a"].tolist() == [1, 1, 1]
    assert state == {"step": 1}


def test_a_half_written_checkpoint_is_never_found(tmp_path: Path) -> None:
    draft = tmp_path / ".checkpoint-x-00000009.77.part"
    draft.mkdir()
    (draft / "state.json").write_text(json.dumps({"step": 9}), encoding="utf-8")
    assert checkpoints.latest(tmp_path, "checkpoint-x-") is None
    checkpoints.remove(tmp_path, "checkpoint-x-")
    assert not list(tmp_path.iterdir())


def test_settings_of_training_are_read(base: Path, tmp_path: Path) -> None:
    """Warm-up and schedule reach the optimizer: the rates of a run are those of the formula."""
    from dlm_hf.optim import learning_rate

    rates: list[float] = []
    settings = TrainingSettings(128, 2, lr_scheduler="linear", warmup_ratio=0.25)
    control = Control(lambda event: rates.append(event.data["learning_rate"]) if event.kind == "step" else None)
    job = job_in(base, tmp_path, settings=settings, control=control)
    train(job)
    assert rates == [learning_rate(step, STEPS, 5e-3, settings) for step in range(STEPS)]
    assert rates[0] < rates[1] < rates[2] == 5e-3
    assert rates[2:] == sorted(rates[2:], reverse=True)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes: writing fails as on a full disk, in Python and in Rust."""
    import resource

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_a_full_disk_keeps_the_checkpoint_before(base: Path, tmp_path: Path, uninterrupted: Any) -> None:
    job = job_in(base, tmp_path, control=Control(stop_requested=stop_after(3)))
    with pytest.raises(InterruptedRunError):
        train(job)
    (kept,) = (tmp_path / "work").iterdir()
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    with files_up_to(4096), pytest.raises(RunFailedError, match="could not be written") as caught:
        train(replace(job, resume=True, control=Control()), checkpoint_every=0.0)
    assert "--resume" in (caught.value.hint or "")
    assert list((tmp_path / "work").iterdir()) == [kept]
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    train(replace(job, resume=True, control=Control()))
    assert adapter_bytes(tmp_path) == uninterrupted[0]
