"""The phase `sft`: prose and conversations into LoRA adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .phase import Lesson, Student, train_adapters

if TYPE_CHECKING:
    import torch

    from dlm_core.api import Row, TrainJob, TrainResult

    from .batches import MicroBatch
    from .modalities import Senses
    from .tokens import Coder, Example


def train(job: TrainJob, checkpoint_every: float = 60.0, senses: Senses | None = None) -> TrainResult:
    """Train each adapter of the job on its text and chat rows: see `phase.train_adapters`."""
    lesson = Lesson(frozenset({"text", "chat"}), read_rows, fit, senses=senses)
    return train_adapters(job, lesson, checkpoint_every)


def read_rows(job: TrainJob, coder: Coder, rows: Sequence[Row]) -> list[Example]:
    """Text and chat rows as training reads them."""
    from .tokens import all_examples

    return all_examples(coder, rows, job.system_prompt, job.settings.sequence_len, job.long_rows, job.base.cache)


def fit(student: Student, before_step: Callable[[int], None] = lambda step: None) -> Mapping[str, float]:
    """Learn the examples' labelled tokens; `before_step` is told the number of each step, counted from 0."""
    from . import loop
    from .batches import collate

    job = student.job
    task = loop.Task(
        name=student.name,
        model=student.adapted,
        examples=student.examples,
        validation=student.validation,
        pad_id=student.coder.pad_id,
        loss=partial(_loss, student.model, is_plain=student.plain_head, dtype=job.precision.dtype),
        learning_rate=job.adapters[student.name].learning_rate,
        checkpoint_every=student.checkpoint_every,
        collate=partial(collate, senses=student.coder.senses),
        before_step=before_step,
        rate_key=f"training.{'' if list(job.adapters) == ['default'] else f'adapters.{student.name}.'}learning_rate",
    )
    return loop.fit(job, task)


def _loss(model: Any, batch: MicroBatch, is_plain: bool, dtype: str) -> torch.Tensor:
    from .loading import autocast
    from .loss import summed_loss

    with autocast(model, dtype):
        return summed_loss(model, batch, is_plain)
