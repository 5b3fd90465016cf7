"""The training phase `gate`.  Light: everything that trains is imported when it trains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dlm_core.api import Choice, PhaseNotes, Trainer

from .rules import block, lessons, row_problems, teaches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlm_core.api import BaseModel, Document, LocatedBase, Problem, Row, TrainJob, TrainResult


class GateTrainer(Trainer):
    """The gate, from the prompts of rows that belong to one adapter alone."""

    phase = "gate"
    after = ("sft", "preference")
    consumes = frozenset({"text", "chat", "preference"})
    beside = True

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        return block(doc.config) is not None

    def picks(self, row: Row) -> bool:
        return teaches(row)

    def steps(self, doc: Document, rows: Sequence[Row]) -> int:
        asked = block(doc.config)
        return 0 if asked is None or lessons(doc.config, rows).reason else int(asked["steps"])

    def problems(self, doc: Document, rows: Sequence[Row], base: BaseModel) -> Iterable[Problem]:
        return row_problems(doc, rows)

    def notes(self, doc: Document, rows: Sequence[Row], base: LocatedBase) -> PhaseNotes:
        found, asked = lessons(doc.config, rows), block(doc.config)
        assert asked is not None  # the phase was wanted
        mode = Choice("weights", "uniform", found.reason) if found.reason else Choice("weights", "learned", found.text)
        details = {"mode": mode.value, "prompts": dict(found.counts), "cold_start_floor": found.floor}
        return PhaseNotes((mode,), {}, {**details, "steps": self.steps(doc, rows)})

    def train(self, job: TrainJob) -> TrainResult:
        from dlm_hf.trainers import checkpoint_seconds

        seconds = checkpoint_seconds(os.environ)
        from .phase import train

        return train(job, seconds)
