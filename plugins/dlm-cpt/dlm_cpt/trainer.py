"""The training phase `cpt`.  Light: everything that trains is imported when it trains."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from dlm_core.api import Choice, PhaseNotes, Problem, Trainer

from .rules import FLOOR, KEY, LONGEST_WARMUP, PROSE_SHARE, WARMUP_FACTOR, asked_for, wants_phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlm_core.api import BaseModel, Document, LocatedBase, Row, TrainingSettings, TrainJob, TrainResult

    from .sizes import RowsLearned
    from .vocabulary import Coverage


class CptTrainer(Trainer):
    """Continued pre-training: prose by itself, before conversations build on it."""

    phase = "cpt"
    before = ("sft",)
    consumes = frozenset({"text"})
    takes_over = frozenset({"text"})

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        asked = asked_for(doc)
        return asked is not None and wants_phase(asked, rows)

    def settings(self, doc: Document, settings: TrainingSettings) -> TrainingSettings:
        asked = asked_for(doc)
        if asked is None or asked["schedule"] == "sft":
            return settings
        warmup = max(settings.warmup_ratio, min(LONGEST_WARMUP, WARMUP_FACTOR * settings.warmup_ratio))
        return replace(settings, warmup_ratio=warmup, lr_floor=FLOOR)

    def problems(self, doc: Document, rows: Sequence[Row], base: BaseModel) -> Iterable[Problem]:
        from dlm_hf.trainers import settings_problems

        return settings_problems(doc)

    def notes(self, doc: Document, rows: Sequence[Row], base: LocatedBase) -> PhaseNotes:
        from .vocabulary import coverage

        asked = asked_for(doc)
        assert asked is not None  # the phase was wanted
        covered = coverage(base.folder, [row.data["text"] for row in rows])
        choices = [_schedule(asked["schedule"]), _vocabulary(covered)]
        details = {"schedule": choices[0].value, "vocabulary": asdict(covered)}
        if not (steps := asked["embed_warmup_steps"]):
            return PhaseNotes(tuple(choices), {}, details)
        from .sizes import rows_learned

        learned = rows_learned(base, rows, doc.config["training"]["sequence_len"])
        choices.append(Choice("embeddings", f"{learned.ids:,} of {learned.vocabulary:,}", f"learn for {steps} steps"))
        return PhaseNotes(
            tuple(choices),
            {"embedding rows": learned.memory},
            {**details, "embeddings": {"steps": steps, **asdict(learned)}},
            (_size_warning(doc, learned),),
        )

    def train(self, job: TrainJob) -> TrainResult:
        from dlm_hf.trainers import checkpoint_seconds

        seconds = checkpoint_seconds(os.environ)
        from .phase import train

        return train(job, seconds)


def _schedule(asked: str) -> Choice:
    if asked == "sft":
        return Choice("schedule", "sft", "the document says so; the phase is for the embeddings")
    why = "the document says so" if asked == "dapt" else f"over {PROSE_SHARE:.0%} prose, or embeddings to warm up"
    return Choice("schedule", "dapt", f"{why}: warm-up {WARMUP_FACTOR:g}× as long, down to {FLOOR:.0%} of the rate")


def _vocabulary(covered: Coverage) -> Choice:
    """What the tokenizer makes of the prose, in a line."""
    parts = [f"{covered.neutral_tokens_per_word:.2f} on everyday English"]
    if covered.split_words:
        named = ", ".join(one.word for one in covered.split_words[:3])
        parts.append(f"{covered.split_share:.1%} of the words fall into {covered.pieces} or more pieces ({named})")
    for what, found in (("unknown to it", covered.unknown), ("spelled in bytes", covered.in_bytes)):
        if found:
            parts.append(f"{len(found)} characters {what}: {' '.join(found[:8])}")
    return Choice("vocabulary", f"{covered.tokens_per_word:.2f} tokens a word", "; ".join(parts))


def _size_warning(doc: Document, learned: RowsLearned) -> Problem:
    return Problem(
        doc.where(f"{KEY}.embed_warmup_steps"),
        f"the embeddings of {learned.ids:,} tokens learn too: each adapter grows by {_size(learned.stored)}, "
        f"training by {_size(learned.memory)}",
        "a GGUF adapter (`gguf-lora`) cannot hold them: export `gguf`",
        "warning",
        "CPT0002",
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
