"""Training of the phase: as `sft` learns prose, with the embeddings of its tokens at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError, TrainJob, TrainResult
from dlm_hf import sft
from dlm_hf.phase import Lesson, Student, train_adapters

from .rules import block

if TYPE_CHECKING:
    from collections.abc import Collection


def train(job: TrainJob, checkpoint_every: float = 60.0) -> TrainResult:
    """Train each adapter that has prose on it; the others begin in a later phase.  Raises as `train_adapters` does."""
    steps = block(job.config)["embed_warmup_steps"]
    own = {name: one for name, one in job.adapters.items() if _begins_here(job, name)}
    if not own:
        raise RunFailedError("there is no prose to train an adapter on")

    def ids(examples: Sequence[Any]) -> Collection[int]:
        return {one for example in examples for one in example.ids} if steps else ()

    def fit(student: Student) -> Mapping[str, float]:
        rows = student.rows
        if rows is None or not steps:
            return sft.fit(student)
        return sft.fit(student, lambda step: rows.learn(step < steps))

    lesson = Lesson(frozenset({"text"}), sft.read_rows, fit, ids)
    return train_adapters(replace(job, adapters=own), lesson, checkpoint_every)


def _begins_here(job: TrainJob, name: str) -> bool:
    is_there = job.start is not None and (job.start / name).is_dir()
    return is_there or any(name in row.adapters for row in job.rows)
