"""The training phase this plugin offers.  Light: everything that trains is imported when it trains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dlm_core.api import Problem, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlm_core.api import BaseModel, Document, Row, TrainJob, TrainResult


#: Seconds between two checkpoints; the environment variable DLM_CHECKPOINT_SECONDS overrides it.
CHECKPOINT_SECONDS = 60.0


class Sft(Trainer):
    """Supervised fine-tuning: prose is learned whole, conversations by their answers."""

    phase = "sft"
    consumes = frozenset({"text", "chat"})

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        return any(row.kind in self.consumes for row in rows)

    def problems(self, doc: Document, rows: Sequence[Row], base: BaseModel) -> Iterable[Problem]:
        from .optim import OPTIMIZERS

        training = doc.config.get("training", {})
        if (name := training.get("optimizer", OPTIMIZERS[0])) not in OPTIMIZERS:
            yield Problem(
                doc.where("training.optimizer"),
                f"the optimizer {name} is not available yet",
                f"set training.optimizer to {' or '.join(OPTIMIZERS)}",
            )
        adapters = training.get("adapters") or {}
        kinds = {"training.adapter": training.get("adapter")}
        kinds |= {f"training.adapters.{name}.adapter": one.get("adapter") for name, one in adapters.items()}
        for key, kind in kinds.items():
            if kind == "qlora":
                yield Problem(doc.where(key), "adapters of kind qlora are not available yet", "use lora or dora")

    def train(self, job: TrainJob) -> TrainResult:
        from .sft import train

        return train(job, float(os.environ.get("DLM_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS)))
