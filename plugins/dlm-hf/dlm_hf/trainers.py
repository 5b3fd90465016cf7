"""The training phase this plugin offers.  Light: everything that trains is imported when it trains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dlm_core.api import Problem, Trainer, UsageError

from . import imports, optim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dlm_core.api import BaseModel, Document, Row, Span, TrainJob, TrainResult
    from dlm_core.commands import Plugins


#: Seconds between two checkpoints; the environment variable DLM_CHECKPOINT_SECONDS overrides it.
CHECKPOINT_SECONDS = 60.0


class Sft(Trainer):
    """Supervised fine-tuning: prose is learned whole, conversations by their answers."""

    phase = "sft"
    consumes = frozenset({"text", "chat"})

    def __init__(self, plugins: Plugins | None = None) -> None:
        self.plugins = plugins

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        return any(row.kind in self.consumes for row in rows)

    def problems(self, doc: Document, rows: Sequence[Row], base: BaseModel) -> Iterable[Problem]:
        yield from settings_problems(doc)
        adapters = training_of(doc).get("adapters") or {}
        taught = {name for row in rows for name in row.adapters} | {section.adapter for section in doc.sections}
        if training_of(doc).get("sources") or any(one.type == "prose" and one.adapter is None for one in doc.sections):
            return  # prose for every adapter, whichever phase learns it
        for name in [one for one in adapters if one not in taught]:
            where = doc.where(f"training.adapters.{name}")
            yield Problem(where, f"there is nothing to train the adapter {name} on", no_rows(name), code="HF0004")

    def train(self, job: TrainJob) -> TrainResult:
        seconds = checkpoint_seconds(os.environ)
        from .modalities import senses_of
        from .sft import train

        return train(job, seconds, senses_of(self.plugins, job.base))


def training_of(doc: Document) -> Mapping[str, Any]:
    """The block `training`, empty while the document has errors."""
    found: Mapping[str, Any] = doc.config.get("training", {})
    return found


def settings_problems(doc: Document) -> Iterator[Problem]:
    """What of `training` cannot be trained here, each at its key: packages that are missing, settings that exclude
    each other.  Every phase that trains adapters with this plugin's tools asks it; equal problems are told once."""
    training = doc.config.get("training", {})
    name = training.get("optimizer", "adamw_torch")
    for package in optim.OPTIMIZERS[name]:
        if not imports.is_installed(package):
            yield _missing(doc.where("training.optimizer"), f"the optimizer {name}", package)
    declared = training.get("adapters") or {}
    kinds = {f"training.adapters.{one}.adapter": settings.get("adapter", "lora") for one, settings in declared.items()}
    kinds = kinds or {"training.adapter": training.get("adapter", "lora")}
    quantized = [key for key, kind in kinds.items() if kind == "qlora"]
    if quantized and not imports.is_installed("bitsandbytes"):
        yield _missing(doc.where(quantized[0]), "adapter: qlora", "bitsandbytes")
    if quantized and len(quantized) < len(kinds):
        others = " and ".join(sorted(set(kinds.values()) - {"qlora"}))
        message = f"qlora cannot be mixed with {others}: the base is loaded once, in 4 bits or not"
        yield Problem(doc.where(quantized[0]), message, "give every adapter the same kind of base", code="HF0002")
    ranks = [settings.get("lora_r", 8) for settings in declared.values()] or [training.get("lora_r", 8)]
    if name.startswith("galore") and min(ranks) < 2:
        message = f"{name} keeps half of an adapter's rank, and there is an adapter of lora_r {min(ranks)}"
        hint = "raise lora_r to 2 or more, or set training.optimizer: adamw_torch"
        yield Problem(doc.where("training.optimizer"), message, hint, code="HF0001")


def _missing(where: Span, what: str, package: str) -> Problem:
    return Problem(where, f"{what} needs the package {package}", imports.how_to_install(package), code="DLM0305")


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
