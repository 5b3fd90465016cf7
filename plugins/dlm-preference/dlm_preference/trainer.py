"""The training phase `preference`.  Light: everything that trains is imported when it trains."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from dlm_core.api import PhaseNotes, Trainer

from .rules import block

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlm_core.api import (
        BaseModel,
        Document,
        LocatedBase,
        Problem,
        Row,
        TrainingSettings,
        TrainJob,
        TrainResult,
    )


class PreferenceTrainer(Trainer):
    """Direct preference optimization, or odds ratio preference optimization, of the adapter that `sft` left."""

    phase = "preference"
    after = ("sft",)
    consumes = frozenset({"preference"})

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        return any(row.kind in self.consumes for row in rows)

    def problems(self, doc: Document, rows: Sequence[Row], base: BaseModel) -> Iterable[Problem]:
        from dlm_hf.trainers import settings_problems

        return settings_problems(doc)

    def settings(self, doc: Document, settings: TrainingSettings) -> TrainingSettings:
        return replace(settings, num_epochs=block(doc.config)["hyperparams"]["num_epochs"])

    def notes(self, doc: Document, rows: Sequence[Row], base: LocatedBase) -> PhaseNotes:
        # Margins before and after; with DPO also the reference.
        return PhaseNotes(passes=3 if block(doc.config)["method"] == "dpo" else 2)

    def train(self, job: TrainJob) -> TrainResult:
        from dlm_hf.trainers import checkpoint_seconds

        seconds = checkpoint_seconds(os.environ)
        from .phase import train

        return train(job, seconds)
