"""The training phase this plugin offers.  Light: everything that trains is imported when it trains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dlm_core.api import Problem, Trainer, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
                code="HF0001",
            )
        adapters = training.get("adapters") or {}
        kinds = {"training.adapter": training.get("adapter")}
        kinds |= {f"training.adapters.{name}.adapter": one.get("adapter") for name, one in adapters.items()}
        for key, kind in kinds.items():
            if kind == "qlora":
                yield Problem(
                    doc.where(key), "adapters of kind qlora are not available yet", "use lora or dora", code="HF0002"
                )
        if training.get("precision") == "fp16":
            key = "training.precision"
            yield Problem(
                doc.where(key),
                "training in fp16 is not available yet",
                "set training.precision: bf16 or fp32",
                code="HF0003",
            )
        taught = {name for row in rows for name in row.adapters} | {section.adapter for section in doc.sections}
        for name in [one for one in adapters if one not in taught]:
            where = doc.where(f"training.adapters.{name}")
            yield Problem(where, f"there is nothing to train the adapter {name} on", no_rows(name), code="HF0004")

    def train(self, job: TrainJob) -> TrainResult:
        seconds = checkpoint_seconds(os.environ)
        from .sft import train

        return train(job, seconds)


def no_rows(name: str) -> str:
    """What to do about an adapter that has no rows."""
    return f"open a section for it with ::prose#{name}:: or ::instruction#{name}::, or take it out of training.adapters"


def checkpoint_seconds(environment: Mapping[str, str]) -> float:
    """DLM_CHECKPOINT_SECONDS, or CHECKPOINT_SECONDS without it.  Raises UsageError unless it is a number from 0 up."""
    text = environment.get("DLM_CHECKPOINT_SECONDS", str(CHECKPOINT_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise UsageError(
            f"DLM_CHECKPOINT_SECONDS is {text!r}, not a number of seconds", "set it to 60, say, or unset it"
        )
    return seconds
