"""The phase `sft`: prose and conversations into LoRA adapters.  Read `train` from top to bottom."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError, TrainResult

from .imports import prepare

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
    `checkpoint_every` is in seconds.  Raises RunFailedError, DoesNotFitError, or InterruptedRunError after saving
    a checkpoint in `job.work`.
    """
    _check(job)
    prepare()
    from .loading import load_model, release_model
    from .tokens import load_coder

    if not job.resume:
        _forget(job)
    coder = load_coder(job.base.folder)
    learned = {name: _examples(job, coder, name, job.rows) for name in job.adapters}
    model = None
    metrics: dict[str, float] = {}
    try:
        for name, examples in learned.items():
            if (done := _finished(job, name)) is None:
                if examples:
                    model = model or load_model(job.base, job.precision)
                done = _train_one(job, coder, model, name, examples, checkpoint_every)
            metrics |= done if len(job.adapters) == 1 else {f"{name}/{key}": value for key, value in done.items()}
    finally:
        if model is not None:
            release_model(model)
    return TrainResult(job.out, metrics)


def _train_one(
    job: TrainJob, coder: Coder, model: Any, name: str, examples: Sequence[Example], checkpoint_every: float
) -> Mapping[str, float]:
    """Train one adapter and save it; one without rows is taken over from the phase or version before."""
    start = job.start / name if job.start is not None and (job.start / name).is_dir() else None
    if not examples:
        return _carry_over(job, name, start)
    import torch

    from . import checkpoints, loop, lora
    from .projection import plain_head

    lora.fit_embeddings(model, coder.vocabulary_size)
    is_plain = plain_head(model) is not None
    torch.manual_seed(job.settings.seed)  # before the adapter exists: its first matrices are random
    adapted = lora.attach(model, job.adapters[name], job.base.model.key)
    try:
        if start is not None:
            lora.warm_start(adapted, start)
        task = loop.Task(
            name=name,
            model=adapted,
            examples=examples,
            validation=_examples(job, coder, name, job.validation),
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
    shutil.copytree(job.work / f"finished-{name}" / "adapter", job.out / name, dirs_exist_ok=True)
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


def _carry_over(job: TrainJob, name: str, start: Path | None) -> Mapping[str, float]:
    if start is None:
        raise RunFailedError(
            f"there is nothing to train the adapter {name} on",
            f"write a section for it, such as `::instruction#{name}::`, or take it out of training.adapters",
        )
    shutil.copytree(start, job.out / name, dirs_exist_ok=True)
    return {"steps": 0}


def _finished(job: TrainJob, name: str) -> Mapping[str, float] | None:
    """What a run before the interruption had finished: its adapter is copied, its metrics are returned."""
    from .checkpoints import refuse_other

    folder = job.work / f"finished-{name}"
    if not folder.is_dir():
        return None
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    refuse_other(state, job.fingerprint)
    shutil.copytree(folder / "adapter", job.out / name, dirs_exist_ok=True)
    metrics: Mapping[str, float] = state["metrics"]
    return metrics


def _forget(job: TrainJob) -> None:
    """Remove what an earlier run left in the work folder, so that nothing of it can be resumed by mistake."""
    from .checkpoints import remove

    for name in job.adapters:
        remove(job.work, f"checkpoint-{name}-")
        remove(job.work, f"finished-{name}")
