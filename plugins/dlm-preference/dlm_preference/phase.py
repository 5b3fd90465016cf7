"""The phase `preference`: better and worse answers into LoRA adapters.  Read `_fit` from top to bottom."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from dlm_hf import checkpoints, loop
from dlm_hf.batches import in_order
from dlm_hf.failures import memory_explained
from dlm_hf.phase import Lesson, Student, train_adapters

from . import losses
from .pairs import Pair, PairBatch, all_pairs, collate_pairs, log_probabilities
from .rules import KEY, block

if TYPE_CHECKING:
    from dlm_core.api import TrainJob, TrainResult

Judge = Callable[[torch.Tensor, PairBatch], losses.Judged]
"""Losses and margins from the policy's log-probabilities (pairs, 2) and the batch they are of."""


def train(job: TrainJob, checkpoint_every: float = 60.0) -> TrainResult:
    """Train each adapter of the job on its preference rows: see `dlm_hf.phase.train_adapters`."""
    return train_adapters(job, Lesson(frozenset({"preference"}), all_pairs, _fit), checkpoint_every)


def make_judge(config: Mapping[str, Any]) -> Judge:
    """The loss that `training.preference` asks for, of policy log-probabilities (pairs, 2) and their batch."""
    numbers = config["hyperparams"]
    if config["method"] == "orpo":
        return lambda policy, batch: losses.orpo(policy, batch.counts, numbers["alpha"])
    kind, beta = config["loss_type"], numbers["beta"]
    return lambda policy, batch: losses.dpo(policy, batch.reference, batch.counts, kind, beta)


def _fit(student: Student) -> Mapping[str, float]:
    job, config = student.job, block(student.job.config)
    judge = make_judge(config)
    pairs, held = _with_reference(student, config)
    sides = {"": pairs, "validation_": held}
    before = _remembered(student, "before", lambda: _measure(student, judge, sides))
    _tell(student, "before", before)
    task = loop.Task(
        name=student.name,
        model=student.adapted,
        examples=pairs,
        validation=held,
        pad_id=student.coder.pad_id,
        loss=partial(_loss, student, judge),
        learning_rate=config["hyperparams"]["learning_rate"],
        checkpoint_every=student.checkpoint_every,
        collate=collate_pairs,
        rate_key=f"{KEY}.hyperparams.learning_rate",
    )
    metrics = loop.fit(job, task)
    after = _measure(student, judge, sides)
    _tell(student, "after", after)
    return {**metrics, **after, **{f"{name}_before": value for name, value in before.items()}}


def _loss(student: Student, judge: Judge, batch: PairBatch) -> torch.Tensor:
    """The pairs' summed loss."""
    policy = log_probabilities(student.model, batch, student.plain_head, student.job.precision.dtype)
    return judge(policy, batch).losses.sum()


# --- the reference ------------------------------------------------------------------------------------------------


def _with_reference(student: Student, config: Mapping[str, Any]) -> tuple[list[Pair], list[Pair]]:
    """Pairs to learn and to measure with the reference's log-probabilities, which are computed once."""
    pairs, held = list(student.examples), list(student.validation)
    if config["method"] != "dpo":
        return pairs, held
    every = [*pairs, *held]
    with student.adapted.disable_adapter() if config["reference"] == "base" else nullcontext():
        known = _remembered(student, "reference", lambda: _answers(student, every))
    found = [replace(pair, reference=(both[0], both[1])) for pair, both in zip(every, known, strict=True)]
    return found[: len(pairs)], found[len(pairs) :]


def _answers(student: Student, pairs: Sequence[Pair]) -> list[list[float]]:
    """The log-probabilities of both answers of each pair."""
    return _evaluated(student, pairs, lambda policy, batch: policy)


def _remembered(student: Student, what: str, compute: Callable[[], Any]) -> Any:
    """What `compute` gives, as JSON values.  A resumed run takes what the run before it computed: the very same bits.

    Raises RunFailedError when that belongs to another run, or when the disk does not take it.
    """
    folder = student.job.work / f"{what}-{student.name}"
    if student.job.resume and folder.is_dir():
        kept = json.loads((folder / "kept.json").read_text(encoding="utf-8"))
        checkpoints.refuse_other(kept, student.job.fingerprint)
        return kept["value"]
    value = compute()
    with checkpoints.whole_folder(folder) as draft:
        kept = {"fingerprint": dict(student.job.fingerprint), "value": value}
        (draft / "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    return value


# --- measuring ----------------------------------------------------------------------------------------------------


def _measure(student: Student, judge: Judge, sides: Mapping[str, Sequence[Pair]]) -> dict[str, float]:
    """`margin`, the mean of the pairs that are learned, and `accuracy`, the share of them with a margin above 0.

    A margin of exactly 0 counts as half right.  Pairs that are only measured have theirs under their side's prefix.
    """
    found: dict[str, float] = {}
    for side, pairs in sides.items():
        if pairs:
            margins = _evaluated(student, pairs, lambda policy, batch: judge(policy, batch).margins)
            right = sum((margin > 0) + 0.5 * (margin == 0) for margin in margins)
            found |= {f"{side}margin": sum(margins) / len(margins), f"{side}accuracy": right / len(margins)}
    return found


@torch.no_grad()
def _evaluated(
    student: Student, pairs: Sequence[Pair], value: Callable[[torch.Tensor, PairBatch], torch.Tensor]
) -> list[Any]:
    """`value` of each pair, in the pairs' order, with dropout off."""
    found: list[Any] = [None] * len(pairs)
    was_training = student.adapted.training
    student.adapted.eval()
    for places in in_order([pair.length for pair in pairs], student.job.batch):
        batch = collate_pairs([pairs[place] for place in places], student.coder.pad_id).to(student.model.device)
        with memory_explained(*batch.ids.shape):
            policy = log_probabilities(student.model, batch, student.plain_head, student.job.precision.dtype)
        for place, one in zip(places, value(policy, batch).tolist(), strict=True):
            found[place] = one
    student.adapted.train(was_training)
    return found


def _tell(student: Student, when: str, values: Mapping[str, float]) -> None:
    student.job.control.emit("measure", adapter=student.name, when=when, values=dict(values))
