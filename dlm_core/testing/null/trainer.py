"""The null trainer: counts which word follows which and remembers the answers, with everything a real one does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...api import (
    AdapterSettings,
    Document,
    InterruptedRunError,
    Row,
    Trainer,
    TrainJob,
    TrainResult,
)
from . import memory
from .words import Wording, Words

if TYPE_CHECKING:
    from ...plugins import Plugins

#: Counts that one pass over a word adds, for each unit of the learning rate.
STRENGTH = 1e5


class NullTrainer(Trainer):
    """Stands in for the phase `sft`: text is learned whole, chats by their answers."""

    phase = "sft"
    consumes = frozenset({"text", "chat"})

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        return any(row.kind in self.consumes for row in rows)

    def train(self, job: TrainJob) -> TrainResult:
        wording = Wording(self.plugins, job.base.model.accepts)
        metrics: dict[str, float] = {}
        for name, settings in job.adapters.items():
            found = _train_one(job, wording, name, settings)
            metrics |= found if len(job.adapters) == 1 else {f"{name}/{key}": value for key, value in found.items()}
        return TrainResult(job.out, metrics)


def _train_one(job: TrainJob, wording: Wording, name: str, settings: AdapterSettings) -> dict[str, float]:
    """One adapter, epoch by epoch.  Raises InterruptedRunError after a whole step, its checkpoint saved."""
    rows = [row for row in job.rows if name in row.adapters]
    examples = [wording.read(row, job.system_prompt)[: job.settings.sequence_len] for row in rows]
    learned, step = _start(job, name)
    epochs = job.settings.num_epochs
    order = [(epoch, batch) for epoch in range(epochs) for batch in _batches(job, rows, epoch)]
    steps, started, loss = job.settings.most_steps(len(order)), time.monotonic(), 0.0
    _announce(job, name, examples, steps)
    while step < steps:
        epoch, batch = order[step]
        mine = [examples[at] for at in batch]
        loss = _learn(learned, [rows[at] for at in batch], mine, wording, settings.learning_rate)
        step += 1
        where = {"adapter": name, "step": step, "epoch": epoch + 1, "loss": loss}
        spent = {"tokens": sum(map(len, mine)), "seconds": time.monotonic() - started}
        job.control.emit("step", **where, **spent, steps=steps, learning_rate=settings.learning_rate)
        if step == steps or order[step][0] != epoch:
            job.control.emit("eval", **where, epochs=epochs)
        if step < steps and job.control.stop_requested():
            _save_checkpoint(job, name, learned, step)
            raise InterruptedRunError(f"stopped after step {step}", step=step)
    memory.save(learned, job.out / name, job.base.model.key)
    seconds = time.monotonic() - started
    job.control.emit("phase_end", adapter=name, epoch=epochs, loss=loss, steps=steps, seconds=seconds)
    return {"loss": loss}


def _batches(job: TrainJob, rows: Sequence[Row], epoch: int) -> list[list[int]]:
    """The steps of one epoch: indices of the rows whose turn it is."""
    mine = [at for at, row in enumerate(rows) if epoch in job.turns.get(row.key, (epoch,))]
    return [mine[first : first + job.batch.rows] for first in range(0, len(mine), job.batch.rows)]


def _learn(
    learned: memory.Memory, rows: Sequence[Row], examples: Sequence[Words], wording: Wording, rate: float
) -> float:
    """One step over a batch; gives its mean loss before the step, in nats a learned word."""
    losses = [one for words in examples for one in learned.losses(words)]
    for row, words in zip(rows, examples, strict=True):
        learned.learn(words, rate * STRENGTH)
        if row.question is not None:
            learned.answers[memory.question_key(wording.render(row.question, None, True))] = row.answer or ""
    return sum(losses) / len(losses) if losses else 0.0


def _announce(job: TrainJob, name: str, examples: Sequence[Words], steps: int) -> None:
    job.control.emit(
        "phase",
        adapter=name,
        rows=len(examples),
        validation=sum(name in row.adapters for row in job.validation),
        steps=steps,
        epochs=job.settings.num_epochs,
        tokens=sum(map(len, examples)),
        labelled=sum(there for words in examples for _, there in words),
        trainable=memory.CELLS,
    )


def _start(job: TrainJob, name: str) -> tuple[memory.Memory, int]:
    """What is known before the first step, and the number of steps already done."""
    kept = sorted(job.work.glob(f"{name}-*"))
    if job.resume and kept:
        return memory.load(kept[-1]), int(kept[-1].name.rpartition("-")[2])
    if job.start is not None and (job.start / name).is_dir():
        return memory.load(job.start / name), 0
    return memory.Memory(), 0


def _save_checkpoint(job: TrainJob, name: str, learned: memory.Memory, step: int) -> None:
    folder: Path = job.work / f"{name}-{step:06d}"
    memory.save(learned, folder, job.base.model.key)
    job.control.emit("checkpoint", adapter=name, step=step, path=str(folder))
