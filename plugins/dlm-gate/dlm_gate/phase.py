"""The phase `gate`: which adapter a prompt is for, learned from the document's own prompts.  Read `train` downwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlm_core.api import DivergedError, InterruptedRunError, TrainResult
from dlm_hf import checkpoints
from dlm_hf.features import text_features
from dlm_hf.tokens import load_coder

from . import network, stored
from .prompts import text_of_row
from .rules import adapters_of, block, lessons

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from dlm_core.api import Row, TrainJob

    from .network import Network

#: Prompts in one step.
BATCH = 16

_PREFIX = checkpoints.prefix(stored.NAME)


@dataclass(frozen=True, slots=True)
class Examples:
    """Prompts as features (prompts, width), float32, and the numbers of their own adapters (prompts,)."""

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def train(job: TrainJob, checkpoint_every: float = 60.0) -> TrainResult:
    """Train the gate and leave it in `job.out`, in its folder beside the adapters, which are carried over by core.

    `checkpoint_every` is in seconds.  Raises InterruptedRunError after saving a checkpoint in `job.work`,
    DivergedError for a loss that is not finite, RunFailedError when a file cannot be written or a base has no
    embeddings by a usual name.
    """
    asked = block(job.config)
    assert asked is not None  # the phase was wanted
    names = adapters_of(job.config)
    if not job.resume:
        checkpoints.remove(job.work, _PREFIX)
    found = lessons(job.config, job.rows)
    if found.reason:
        _tell_start(job, 0, 0)
        stored.save_uniform(job.out, names, found.reason)
        return TrainResult(job.out, _told(job, {"steps": 0}))
    learn, held = (_examples(job, rows, names) for rows in (job.rows, job.validation))
    gate = network.fresh(learn.features, asked["hidden_proj_dim"], len(names), job.settings.seed)
    steps = job.settings.most_steps(asked["steps"])
    _tell_start(job, steps, sum(one.numel() for one in gate.parameters()))
    last, seconds = _fit(job, gate, learn, asked, steps, checkpoint_every)
    shares = gate.weights(learn.features).mean(0).tolist()
    stored.save_learned(job.out, gate, names, dict(zip(names, shares, strict=True)), found.text)
    metrics = {"loss": last, "accuracy": accuracy(gate, learn), "steps": steps, "seconds": seconds}
    if len(held):
        metrics["validation_accuracy"] = accuracy(gate, held)
    return TrainResult(job.out, _told(job, metrics))


def accuracy(gate: Network, examples: Examples) -> float:
    """The share of prompts whose own adapter gets the most."""
    return float((gate.weights(examples.features).argmax(-1) == examples.labels).double().mean())


def order(count: int, step: int, seed: int) -> Tensor:
    """Which of `count` prompts step number `step`, counted from 0, learns: each of them once in an epoch."""
    an_epoch = -(-count // BATCH)
    epoch, place = divmod(step, an_epoch)
    dice = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=dice)[place * BATCH : (place + 1) * BATCH]


def _examples(job: TrainJob, rows: Sequence[Row], names: Sequence[str]) -> Examples:
    own = [row for row in rows if len(row.adapters) == 1 and row.adapters[0] in names]
    features = text_features(job.base.folder, load_coder(job.base.folder), [text_of_row(row) for row in own])
    return Examples(features, torch.tensor([names.index(row.adapters[0]) for row in own], dtype=torch.long))


def _fit(
    job: TrainJob, gate: Network, learn: Examples, asked: Mapping[str, Any], steps: int, every: float
) -> tuple[float, float]:
    """Train in place; the last step's loss and the seconds it took."""
    parameters = gate.parameters()
    for one in parameters:
        one.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=asked["lr"], foreach=False)
    done, last, seconds = _resume(job, gate, optimizer)
    saved = time.monotonic()
    while done < steps:
        started = time.monotonic()
        some = order(len(learn), done, job.settings.seed)
        value = network.loss(gate.logits(learn.features[some]), learn.labels[some], asked["entropy_lambda"])
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None]))
        optimizer.step()
        done, last = done + 1, float(value.detach())
        if not all(bool(one.isfinite().all()) for one in parameters):
            raise DivergedError(f"the gate's weights became NaN or infinite in step {done}", "lower training.gate.lr")
        seconds += time.monotonic() - started
        _tell_step(job, done, steps, last, seconds, asked["lr"], norm)
        stop = job.control.stop_requested() and done < steps
        if stop or time.monotonic() - saved > every:
            _save(job, gate, optimizer, done, last, seconds)
            saved = time.monotonic()
        if stop:
            raise InterruptedRunError(
                f"stopped after step {done} of {steps} of the gate; the checkpoint is saved",
                "run the same command again with --resume to go on from there",
                step=done,
            )
    return last, seconds


def _save(
    job: TrainJob, gate: Network, optimizer: torch.optim.Optimizer, done: int, last: float, seconds: float
) -> None:
    tensors = {f"gate.{name}": one for name, one in gate.tensors().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": one for name, one in state.items()}
    state = {"fingerprint": dict(job.fingerprint), "step": done, "loss": last, "seconds": seconds}
    path = checkpoints.write(job.work, f"{_PREFIX}{done:08d}", tensors, state)
    checkpoints.remove(job.work, _PREFIX, keep=path)
    job.control.emit("checkpoint", adapter=stored.NAME, step=done, path=str(path))


def _resume(job: TrainJob, gate: Network, optimizer: torch.optim.Optimizer) -> tuple[int, float, float]:
    """Steps done, the last loss and the seconds so far; weights and optimizer are as they were then."""
    path = checkpoints.latest(job.work, _PREFIX) if job.resume else None
    if path is None:
        return 0, 0.0, 0.0
    tensors, state = checkpoints.read(path)
    checkpoints.refuse_other(state, job.fingerprint)
    with torch.no_grad():
        for name, one in zip(network.LEARNED, gate.parameters(), strict=True):
            one.copy_(tensors[f"gate.{name}"])
    known: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            number, _, what = rest.partition(".")
            known.setdefault(int(number), {})[what] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": known})
    return state["step"], state["loss"], state["seconds"]


# --- what the world hears -----------------------------------------------------------------------------------------


def _tell_start(job: TrainJob, steps: int, trainable: int) -> None:
    job.control.emit(
        "phase",
        phase=job.phase,
        adapter=stored.NAME,
        rows=len(job.rows),
        validation=len(job.validation),
        steps=steps,
        epochs=1,
        tokens=0,
        labelled=0,
        trainable=trainable,
    )


def _tell_step(job: TrainJob, done: int, steps: int, last: float, seconds: float, rate: float, norm: float) -> None:
    job.control.emit(
        "step",
        adapter=stored.NAME,
        step=done,
        steps=steps,
        epoch=1,
        loss=last,
        tokens=0,
        seconds=seconds,
        learning_rate=rate,
        grad_norm=norm,
    )


def _told(job: TrainJob, metrics: dict[str, float]) -> dict[str, float]:
    ended = {name: value for name, value in metrics.items() if not name.endswith("accuracy")}
    job.control.emit("phase_end", phase=job.phase, adapter=stored.NAME, **ended)
    if measured := {name: value for name, value in metrics.items() if name not in ended}:
        job.control.emit("measure", phase=job.phase, adapter=stored.NAME, when="after", values=measured)
    return metrics
