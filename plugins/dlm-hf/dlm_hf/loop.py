"""The training loop: one adapter, from its examples to its best state.  Read `fit` from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from dlm_core.api import DivergedError, InterruptedRunError

from . import best, checkpoints, failures, gauge, lora, optim
from .batches import collate, epoch_steps, first_steps, in_order, in_turn, largest, longest_first, positions

if TYPE_CHECKING:
    from dlm_core.api import Batch, TrainJob

    from .batches import Learnable, Step

# How much larger than the first micro batch another must be to be tried out before.
_REHEARSE_ABOVE = 1.1

MicroLoss = Callable[[Any], torch.Tensor]
"""The loss of a collated micro batch, summed over its units: its labelled tokens, or whatever its examples count."""


@dataclass(frozen=True, slots=True)
class Task:
    """One adapter to train: the model it is attached to, what it learns from, how loss is taken, how fast.

    `collate` makes of examples and a pad id what `loss` takes: a value with `ids`, shape (rows, positions), and `to`.
    `checkpoint_every` is in seconds.  `before_step` is told the number of each step, counted from 0.  `rate_key` is
    where a document sets the learning rate.
    """

    name: str
    model: Any
    examples: Sequence[Any]
    validation: Sequence[Any]
    pad_id: int
    loss: MicroLoss
    learning_rate: float
    checkpoint_every: float = 60.0
    collate: Callable[[Sequence[Any], int], Any] = collate
    before_step: Callable[[int], None] = lambda step: None
    rate_key: str = "training.learning_rate"

    @property
    def help(self) -> str:
        """What may help when numbers stop being finite."""
        floating = [one for one in self.model.parameters() if one.is_floating_point()]
        return failures.what_helps(self.rate_key, all(one.dtype == torch.float32 for one in floating))

    @property
    def prefix(self) -> str:
        return checkpoints.prefix(self.name)


@dataclass(slots=True)
class Progress:
    """Everything that changes while training, apart from weights, optimizer and random state.

    `loss_sum` and `tokens`, the units it is summed over, are of the epoch so far; `last` is the mean loss of the last
    step.
    """

    step: int = 0
    loss_sum: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    last: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    kept: list[best.Candidate] = field(default_factory=list)


def fit(job: TrainJob, task: Task) -> Mapping[str, float]:
    """Train `task.model` in place and leave its best state in it; the result is its losses and counts.

    Raises InterruptedRunError after saving a checkpoint when the job is asked to stop, DivergedError for a loss that
    is not finite, DoesNotFitError when memory runs out, RunFailedError when a checkpoint cannot be written.
    """
    lengths = [one.length for one in task.examples]
    epochs = [
        epoch_steps(lengths, job.batch, job.settings.seed, epoch, in_turn(task.examples, job.turns, epoch))
        for epoch in range(job.settings.num_epochs)
    ]
    epochs = [epoch for epoch in epochs if epoch]
    epochs[0] = longest_first(epochs[0], lengths)
    epochs = first_steps(epochs, job.settings.max_steps)
    steps = sum(len(epoch) for epoch in epochs)
    parameters = list(lora.trainable(task.model).values())
    optimizer = optim.make_optimizer(job.settings.optimizer, parameters, task.learning_rate)
    scaler = torch.amp.GradScaler(task.model.device.type, enabled=job.precision.dtype == "fp16")
    progress = _resume(job, task, optimizer, scaler) if job.resume else Progress()
    _tell_start(job, task, steps)
    gauge.forget(task.model.device)
    task.model.train()
    _rehearse(task, lengths, epochs, job.batch.positions or 0)
    saved = time.monotonic()
    for number, epoch in enumerate(epochs):
        before = sum(len(earlier) for earlier in epochs[:number])
        for place, step in enumerate(epoch):
            if before + place < progress.step:
                continue
            started = time.monotonic()
            task.before_step(progress.step)
            rate = optim.learning_rate(progress.step, steps, task.learning_rate, job.settings)
            norm = _take_step(task, step, optimizer, scaler, rate, progress)
            progress.seconds += time.monotonic() - started
            _tell_step(job, task, progress, step, steps, epoch=number + 1, learning_rate=rate, grad_norm=norm)
            if place == len(epoch) - 1:
                _end_epoch(job, task, number, progress)
            stop = job.control.stop_requested() and progress.step < steps
            if stop or time.monotonic() - saved > task.checkpoint_every:
                _save(job, task, optimizer, scaler, progress)
                saved = time.monotonic()
            if stop:
                raise InterruptedRunError(
                    f"stopped after step {progress.step} of {steps}; the checkpoint is saved",
                    "run the same command again with --resume to go on from there",
                    step=progress.step,
                )
    return _finish(job, task, progress, steps)


def _rehearse(task: Task, lengths: Sequence[int], epochs: Sequence[Sequence[Step]], bound: int) -> None:
    """Run the largest micro batch forward and backward without learning from it, so that memory fails at once.

    Not needed when the first micro batch that learns is about as large, as `longest_first` usually makes it, or when
    none has more positions than `bound`: most are nearly as large then, and one of them comes soon.
    """
    rows = largest(lengths, [step for epoch in epochs for step in epoch])
    if positions(lengths, rows) <= max(bound, _REHEARSE_ABOVE * positions(lengths, epochs[0][0][0])):
        return
    random_state = random_tensors()
    _backward(task, rows, 1)
    task.model.zero_grad(set_to_none=True)
    set_random(random_state)


def _backward(
    task: Task, rows: Sequence[int], divisor: int, scaler: torch.amp.GradScaler | None = None
) -> torch.Tensor:
    """Add the gradient of one micro batch's summed loss over `divisor`, scaled; the result is that loss, unscaled."""
    batch = task.collate([task.examples[row] for row in rows], task.pad_id).to(task.model.device)
    with failures.memory_explained(*batch.ids.shape):
        loss = task.loss(batch)
        mean = loss / divisor
        (scaler.scale(mean) if scaler else mean).backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def _take_step(
    task: Task,
    step: Step,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    rate: float,
    progress: Progress,
) -> float:
    """One optimizer step; the result is the gradient's norm before it is clipped.

    Each token, or whatever else examples count, counts the same, however the step is divided into micro batches.
    In fp16 the loss is scaled up so that small gradients do not vanish.  Where a scaled gradient overflows, the scale
    is halved and nothing is learned from this step: that is no divergence until the scale has come down to 1.
    """
    rows = [row for micro in step for row in micro]
    tokens = sum(task.examples[row].units for row in rows)
    total = sum(float(_backward(task, micro, tokens, scaler)) for micro in step)
    (group,) = optimizer.param_groups
    scaler.unscale_(optimizer)
    norm = float(torch.nn.utils.clip_grad_norm_(group["params"], optim.CLIP_NORM))
    overflowed = scaler.is_enabled() and not math.isfinite(norm) and scaler.get_scale() > 1
    if not math.isfinite(total) or not (math.isfinite(norm) or overflowed):
        what = "gradient" if math.isfinite(total) else "loss"
        raise failures.not_finite(what, [task.examples[row].line for row in rows], task.help)
    group["lr"] = rate
    if not overflowed:
        optimizer.step()
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    progress.step += 1
    progress.loss_sum += total
    progress.tokens += tokens
    progress.last = total / tokens
    return norm


def _end_epoch(job: TrainJob, task: Task, number: int, progress: Progress) -> None:
    """Note the epoch's losses, and keep its adapter while it can still be the best."""
    training = progress.loss_sum / progress.tokens
    progress.loss_sum, progress.tokens = 0.0, 0
    losses = {"epoch": number + 1, "loss": training}
    if task.validation:
        losses["validation_loss"] = validation = mean_loss(task, task.validation, job.batch)
        candidate = best.Candidate(number + 1, training, validation, lora.snapshot(task.model))
        progress.kept = best.offer(progress.kept, candidate)
    progress.history.append(losses)
    job.control.emit("eval", adapter=task.name, step=progress.step, epochs=job.settings.num_epochs, **losses)


@torch.no_grad()
def mean_loss(task: Task, examples: Sequence[Learnable], batch: Batch) -> float:
    """The loss a unit (a labelled token, for examples of tokens) in nats, with dropout off."""
    task.model.eval()
    total = 0.0
    for rows in in_order([one.length for one in examples], batch):
        micro = task.collate([examples[row] for row in rows], task.pad_id).to(task.model.device)
        with failures.memory_explained(*micro.ids.shape):
            total += float(task.loss(micro))
    task.model.train()
    return total / sum(one.units for one in examples)


def _finish(job: TrainJob, task: Task, progress: Progress, steps: int) -> dict[str, float]:
    """Put the best state into the model and say how it went."""
    kept = progress.history[-1]
    if progress.kept:
        chosen = best.winner(progress.kept)
        kept = progress.history[chosen.epoch - 1]
        lora.restore(task.model, chosen.tensors)
    for name, one in lora.trainable(task.model).items():
        if not bool(one.isfinite().all()):
            raise DivergedError(f"the weights {name} became NaN or infinite in the last step", task.help)
    task.model.eval()
    metrics = {**kept, "steps": steps, "seconds": progress.seconds, **gauge.peak(task.model.device)}
    job.control.emit("phase_end", phase=job.phase, adapter=task.name, **metrics)
    return metrics


# --- what the world hears -----------------------------------------------------------------------------------------


def _tell_start(job: TrainJob, task: Task, steps: int) -> None:
    job.control.emit(
        "phase",
        phase=job.phase,
        adapter=task.name,
        rows=len({one.row for one in task.examples}),
        validation=len({one.row for one in task.validation}),
        steps=steps,
        epochs=job.settings.num_epochs,
        tokens=sum(one.tokens for one in task.examples),
        labelled=sum(one.labelled for one in task.examples),
        trainable=sum(one.numel() for one in lora.trainable(task.model).values()),
    )


def _tell_step(job: TrainJob, task: Task, progress: Progress, step: Step, steps: int, **more: float) -> None:
    job.control.emit(
        "step",
        adapter=task.name,
        step=progress.step,
        steps=steps,
        loss=progress.last,
        tokens=sum(task.examples[row].tokens for micro in step for row in micro),
        seconds=progress.seconds,
        **more,
    )


# --- checkpoints --------------------------------------------------------------------------------------------------


def _save(
    job: TrainJob, task: Task, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, progress: Progress
) -> None:
    """Write a checkpoint and drop the one before."""
    tensors = {f"adapter.{name}": one for name, one in lora.snapshot(task.model).items()}
    tensors |= {f"optimizer.{name}": one for name, one in optim.state_tensors(optimizer).items()}
    tensors |= {f"random.{name}": one for name, one in random_tensors().items()}
    for one in progress.kept:
        tensors |= {f"kept.{one.epoch}.{name}": value for name, value in one.tensors.items()}
    state = {
        "fingerprint": dict(job.fingerprint),
        "step": progress.step,
        "loss_sum": progress.loss_sum,
        "tokens": progress.tokens,
        "seconds": progress.seconds,
        "history": progress.history,
        "scaler": scaler.state_dict(),
        "kept": [[one.epoch, one.training, one.validation] for one in progress.kept],
    }
    path = checkpoints.write(job.work, f"{task.prefix}{progress.step:08d}", tensors, state)
    checkpoints.remove(job.work, task.prefix, keep=path)
    job.control.emit("checkpoint", adapter=task.name, step=progress.step, path=str(path))


def _resume(job: TrainJob, task: Task, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> Progress:
    """Restore weights, optimizer, random state and progress from the last checkpoint; from the start without one."""
    path = checkpoints.latest(job.work, task.prefix)
    if path is None:
        return Progress()
    tensors, state = checkpoints.read(path)
    checkpoints.refuse_other(state, job.fingerprint)
    lora.restore(task.model, _under(tensors, "adapter."))
    optim.load_state(optimizer, _under(tensors, "optimizer."))
    scaler.load_state_dict(state["scaler"])
    set_random(_under(tensors, "random."))
    kept = [
        best.Candidate(epoch, training, validation, _under(tensors, f"kept.{epoch}."))
        for epoch, training, validation in state["kept"]
    ]
    plain = {name: state[name] for name in ("step", "loss_sum", "tokens", "seconds", "history")}
    return Progress(**plain, kept=kept)


def _under(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}


def random_tensors() -> dict[str, torch.Tensor]:
    """The state of every random generator that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def set_random(states: Mapping[str, torch.Tensor]) -> None:
    """Put back what `random_tensors` returned; devices that are not here are left out."""
    torch.set_rng_state(states["cpu"])
    for index in range(torch.cuda.device_count()):
        if f"cuda{index}" in states:
            torch.cuda.set_rng_state(states[f"cuda{index}"], index)
