"""The phase `sft`: prose and conversations into LoRA adapters.  Read `train` from top to bottom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError, TrainResult

from .imports import prepare
from .trainers import no_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from dlm_core.api import Row, TrainJob

    from .batches import MicroBatch
    from .tokens import Coder, Example


def train(job: TrainJob, checkpoint_every: float = 60.0) -> TrainResult:
    """Train each adapter of the job on its rows, one after the other, and leave them in `job.out`.

    The base is loaded once.  Adapters do not influence each other: each starts from the job's seed.
    What is wrong with any of them is found before the first one trains.
    `checkpoint_every` is in seconds.  Raises RunFailedError, DoesNotFitError, or InterruptedRunError after saving
    a checkpoint in `job.work`.
    """
    _check(job)
    prepare()
    from .loading import load_model, release_model
    from .lora import targets
    from .tokens import load_coder

    if not job.resume:
        _forget(job)
    coder = load_coder(job.base.folder)
    learned = {name: _examples(job, coder, name, job.rows) for name in job.adapters}
    measured = {name: _examples(job, coder, name, job.validation) for name in job.adapters}
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
                done = _train_one(job, coder, model, name, examples, measured[name], checkpoint_every)
            metrics |= done if len(job.adapters) == 1 else {f"{name}/{key}": value for key, value in done.items()}
    finally:
        if model is not None:
            release_model(model)
    return TrainResult(job.out, metrics)


def _train_one(
    job: TrainJob,
    coder: Coder,
    model: Any,
    name: str,
    examples: Sequence[Example],
    validation: Sequence[Example],
    checkpoint_every: float,
) -> Mapping[str, float]:
    """Train one adapter and save it."""
    import torch

    from . import checkpoints, loop, lora
    from .embeddings import fit_embeddings
    from .loss import plain_head

    fit_embeddings(model, coder.vocabulary_size)
    is_plain = plain_head(model) is not None
    torch.manual_seed(job.settings.seed)  # before the adapter exists: its first matrices are random
    adapted = lora.attach(model, job.adapters[name], job.base.model.key)
    try:
        if (start := _start(job, name)) is not None:
            lora.warm_start(adapted, start)
        task = loop.Task(
            name=name,
            model=adapted,
            examples=examples,
            validation=validation,
            pad_id=coder.pad_id,
            loss=lambda batch: _loss(model, batch, is_plain, job.precision.dtype),
            learning_rate=job.adapters[name].learning_rate,
            checkpoint_every=checkpoint_every,
        )
        metrics = loop.fit(job, task)
        with checkpoints.whole_folder(job.work / f"finished-{name}") as folder:
            lora.save_adapter(adapted, folder / "adapter")
            state = {"fingerprint": dict(job.fingerprint), "metrics": dict(metrics)}
            (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        checkpoints.remove(job.work, task.prefix)
    finally:
        lora.detach(adapted)
    checkpoints.copy_folder(job.work / f"finished-{name}" / "adapter", job.out / name)
    return metrics


def _loss(model: Any, batch: MicroBatch, is_plain: bool, dtype: str) -> torch.Tensor:
    """The summed loss; with 16-bit weights the adapter's 32-bit matrices are multiplied in 16 bits too."""
    import torch

    from .loss import summed_loss

    with torch.autocast(model.device.type, torch.bfloat16, enabled=dtype == "bf16"):
        return summed_loss(model, batch, is_plain)


def _examples(job: TrainJob, coder: Coder, name: str, rows: Sequence[Row]) -> list[Example]:
    from .tokens import all_examples

    own = [row for row in rows if name in row.adapters]
    return all_examples(coder, own, job.system_prompt, job.settings.sequence_len, job.long_rows)


def _check(job: TrainJob) -> None:
    """Refuse what this trainer cannot do before anything heavy is imported."""
    from .optim import OPTIMIZERS

    for row in (*job.rows, *job.validation):
        if row.kind not in ("text", "chat"):
            raise RunFailedError(f"line {row.span.line}: rows of kind {row.kind} are not for the phase {job.phase}")
    if job.settings.optimizer not in OPTIMIZERS:
        raise RunFailedError(
            f"the optimizer {job.settings.optimizer} is not available yet",
            f"set training.optimizer to {' or '.join(OPTIMIZERS)}",
        )
    if job.precision.quant != "none" or job.precision.dtype == "fp16":
        asked = job.precision.quant if job.precision.quant != "none" else "fp16"
        raise RunFailedError(
            f"training on {asked} weights is not available yet",
            "set training.adapter to lora and training.precision to bf16 or fp32",
        )


def _start(job: TrainJob, name: str) -> Path | None:
    """What the phase or version before left of an adapter."""
    return job.start / name if job.start is not None and (job.start / name).is_dir() else None


def _refuse_untaught(job: TrainJob, learned: Mapping[str, Sequence[Example]]) -> None:
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
    from .checkpoints import remove

    for name in job.adapters:
        remove(job.work, f"checkpoint-{name}-")
        remove(job.work, f"finished-{name}")
