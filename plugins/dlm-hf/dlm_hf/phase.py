"""One phase of training: every adapter of a job on its rows, one after the other.  Read `train_adapters` downwards.

What the phases share: the base is loaded once, an adapter that another run had finished is taken as it is, one
without rows is carried over.  What they do not share is a `Lesson`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError, TrainResult

from .imports import prepare
from .trainers import no_rows

if TYPE_CHECKING:
    from pathlib import Path

    from dlm_core.api import Row, TrainJob

    from .batches import Learnable
    from .modalities import Senses
    from .token_rows import TokenRows
    from .tokens import Coder


@dataclass(frozen=True, slots=True)
class Student:
    """An adapter about to be trained: `model` is the base, `adapted` the same with the adapter on it.

    The adapter is as the phase or version before left it, or new.  `plain_head` is what `loss.summed_loss` asks for.
    `rows` are its embedding rows, if it has any.
    """

    job: TrainJob
    name: str
    coder: Coder
    model: Any
    adapted: Any
    examples: Sequence[Any]
    validation: Sequence[Any]
    plain_head: bool
    checkpoint_every: float
    rows: TokenRows | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What sets a phase apart: the kinds of row it takes, what it makes of them, and how an adapter learns from that.

    `examples` raises RunFailedError for rows that do not fit.  `fit` trains the student in place, leaves its best
    state in it and returns metrics: as a rule by way of `loop.fit`.  `row_ids` are the token ids, of an adapter's
    examples, whose embedding rows learn too; rows that the adapter has already stay as they are where it gives none.
    `senses` are what the base takes in beside text, for phases whose rows carry media.
    """

    kinds: frozenset[str]
    examples: Callable[[TrainJob, Coder, Sequence[Row]], Sequence[Learnable]]
    fit: Callable[[Student], Mapping[str, float]]
    row_ids: Callable[[Sequence[Any]], Collection[int]] = lambda examples: ()
    senses: Senses | None = None


def train_adapters(job: TrainJob, lesson: Lesson, checkpoint_every: float = 60.0) -> TrainResult:
    """Train each adapter of the job on its rows, one after the other, and leave them in `job.out`.

    The base is loaded once.  Adapters do not influence each other: each starts from the job's seed.
    What is wrong with any of them is found before the first one trains.
    `checkpoint_every` is in seconds.  Raises RunFailedError, DoesNotFitError, or InterruptedRunError after saving
    a checkpoint in `job.work`.
    """
    _check(job, lesson)
    prepare()
    from .loading import load_model, release_model
    from .lora import targets
    from .tokens import load_coder

    if not job.resume:
        _forget(job)
    coder = load_coder(job.base.folder, lesson.senses)
    learned = {name: _examples(job, lesson, coder, name, job.rows) for name in job.adapters}
    measured = {name: _examples(job, lesson, coder, name, job.validation) for name in job.adapters}
    _refuse_untaught(job, learned)
    finished = {name: _finished(job, name) for name in job.adapters}
    todo = [name for name, examples in learned.items() if examples and finished[name] is None]
    model = load_model(job.base, job.precision) if todo else None
    metrics: dict[str, float] = {}
    try:
        for name in todo:
            targets(model, job.adapters[name].target_modules)
        for name, examples in learned.items():
            if (done := finished[name]) is None and not examples:
                done = _carry_over(job, name)
            elif done is None:
                done = _train_one(job, lesson, coder, model, name, examples, measured[name], checkpoint_every)
            metrics |= done if len(job.adapters) == 1 else {f"{name}/{key}": value for key, value in done.items()}
    finally:
        if model is not None:
            release_model(model)
    return TrainResult(job.out, metrics)


def _train_one(
    job: TrainJob,
    lesson: Lesson,
    coder: Coder,
    model: Any,
    name: str,
    examples: Sequence[Learnable],
    validation: Sequence[Learnable],
    checkpoint_every: float,
) -> Mapping[str, float]:
    """Train one adapter and save it."""
    import torch

    from . import checkpoints, lora
    from .embeddings import fit_embeddings
    from .loss import plain_head
    from .token_rows import put_rows

    fit_embeddings(model, coder.vocabulary_size)
    is_plain = plain_head(model) is not None
    torch.manual_seed(job.settings.seed)  # before the adapter exists: its first matrices are random
    adapted = lora.attach(model, job.adapters[name], job.base.model.key)
    try:
        start, ids = _start(job, name), lesson.row_ids(examples)
        rows = put_rows(model, ids, start, learning=bool(ids))
        if start is not None:
            lora.warm_start(adapted, start)
        student = Student(job, name, coder, model, adapted, examples, validation, is_plain, checkpoint_every, rows)
        metrics = lesson.fit(student)
        with checkpoints.whole_folder(job.work / f"finished-{name}") as folder:
            lora.save_adapter(adapted, folder / "adapter")
            state = {"fingerprint": dict(job.fingerprint), "metrics": dict(metrics)}
            (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        checkpoints.remove(job.work, checkpoints.prefix(name))
    finally:
        lora.detach(adapted)
    checkpoints.copy_folder(job.work / f"finished-{name}" / "adapter", job.out / name)
    return metrics


def _examples(job: TrainJob, lesson: Lesson, coder: Coder, name: str, rows: Sequence[Row]) -> Sequence[Learnable]:
    return lesson.examples(job, coder, [row for row in rows if name in row.adapters])


def _check(job: TrainJob, lesson: Lesson) -> None:
    """Refuse what cannot be trained before anything heavy is imported."""
    from .optim import OPTIMIZERS

    for row in (*job.rows, *job.validation):
        if row.kind not in lesson.kinds:
            raise RunFailedError(f"line {row.span.line}: rows of kind {row.kind} are not for the phase {job.phase}")
    if job.settings.optimizer not in OPTIMIZERS:
        raise RunFailedError(
            f"there is no optimizer {job.settings.optimizer}", f"set training.optimizer to {' or '.join(OPTIMIZERS)}"
        )
    kinds = sorted({settings.adapter for settings in job.adapters.values()})
    if {kind == "qlora" for kind in kinds} != {job.precision.quant == "nf4"}:
        held = job.precision.quant if job.precision.quant != "none" else job.precision.dtype
        raise RunFailedError(
            f"adapters of kind {' and '.join(kinds)} cannot be trained on a base in {held}",
            "qlora needs a base in nf4, which the others do not take",
        )


def _start(job: TrainJob, name: str) -> Path | None:
    """What the phase or version before left of an adapter."""
    return job.start / name if job.start is not None and (job.start / name).is_dir() else None


def _refuse_untaught(job: TrainJob, learned: Mapping[str, Sequence[Learnable]]) -> None:
    """Raise RunFailedError for adapters that have neither rows nor anything to be carried over."""
    if untaught := [name for name, examples in learned.items() if not examples and _start(job, name) is None]:
        raise RunFailedError(f"there is nothing to train the adapter {' and '.join(untaught)} on", no_rows(untaught[0]))


def _carry_over(job: TrainJob, name: str) -> Mapping[str, float]:
    from .checkpoints import copy_folder

    start = _start(job, name)
    assert start is not None  # _refuse_untaught saw to it
    copy_folder(start, job.out / name)
    return {"steps": 0}


def _finished(job: TrainJob, name: str) -> Mapping[str, float] | None:
    """What a run before the interruption had finished: its adapter is copied, its metrics are returned."""
    from .checkpoints import copy_folder, refuse_other

    folder = job.work / f"finished-{name}"
    if not folder.is_dir():
        return None
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    refuse_other(state, job.fingerprint)
    copy_folder(folder / "adapter", job.out / name)
    metrics: Mapping[str, float] = state["metrics"]
    return metrics


def _forget(job: TrainJob) -> None:
    """Remove what an earlier run left in the work folder, so that nothing of it can be resumed by mistake."""
    from .checkpoints import prefix, remove

    for name in job.adapters:
        remove(job.work, prefix(name))
        remove(job.work, f"finished-{name}")
