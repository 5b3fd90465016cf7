"""Core's own precision policies, one for each kind of machine, asked last: together they never decline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from ..api import BaseModel, Choice, Document, DocumentError, Hardware, Precision, PrecisionPolicy, Problem

Dtype = Literal["bf16", "fp16", "fp32"]

QLORA = "the base's linear layers in 4 bits (NF4, scales quantized again), as qlora asks"


class GpuPrecision(PrecisionPolicy):
    """bf16 where the GPU computes it, else fp16 with scaled losses: half the memory of fp32, and several times its
    speed on tensor cores."""

    name = "gpu"
    rank = -100

    def decide(self, hardware: Hardware, base: BaseModel, doc: Document) -> Precision | None:
        return chosen(doc, *usual(hardware, 0)) if hardware.backend in ("cuda", "rocm") else None


class ApplePrecision(PrecisionPolicy):
    """fp32 unless the document asks for bf16."""

    name = "apple"
    rank = -100

    def decide(self, hardware: Hardware, base: BaseModel, doc: Document) -> Precision | None:
        if hardware.backend != "mps":
            return None
        refuse_fp16(doc, "attention in fp16 on Apple GPUs can give NaN")
        return chosen(doc, *usual(hardware, 0))


class ProcessorPrecision(PrecisionPolicy):
    """bf16 where the processor multiplies it in hardware, otherwise fp32 while the weights leave memory for a run."""

    name = "processor"
    rank = -100

    def decide(self, hardware: Hardware, base: BaseModel, doc: Document) -> Precision | None:
        if hardware.backend != "cpu":
            return None
        refuse_fp16(doc, "processors have no instructions for training in fp16")
        return chosen(doc, *usual(hardware, parameters(base)))


def usual(hardware: Hardware, size: int) -> tuple[Dtype, str]:
    """What a base of so many weights (0: unknown) trains in on a machine when nobody asks otherwise, and why."""
    if hardware.backend == "mps":
        return "fp32", "fp16 attention on Apple GPUs can give NaN; training.precision: bf16 halves the memory"
    if hardware.backend != "cpu" and hardware.bf16:
        return "bf16", f"{hardware.name} computes bf16 natively"
    if hardware.backend != "cpu":
        return "fp16", f"{hardware.name} has no native bf16; losses are scaled so that no gradient vanishes"
    if hardware.bf16:
        return "bf16", "this processor multiplies bf16 in hardware: faster, and weights take half the memory"
    if size * 4 > hardware.memory // 2:
        return "bf16", "in fp32 the weights would take more than half of the memory"
    return "fp32", "fastest on a processor without bf16 instructions"


def chosen(doc: Document, dtype: Dtype, reason: str) -> Precision:
    """The document's `training.precision` if it is set, otherwise the machine's; in 4 bits when an adapter is qlora."""
    asked: Dtype | None = doc.config["training"]["precision"]
    precision = Precision(asked, "none", "the document says so") if asked else Precision(dtype, "none", reason)
    if not wants_four_bits(doc):
        return precision
    return replace(precision, quant="nf4", reason=f"{QLORA}; computing in {precision.dtype}: {precision.reason}")


def wants_four_bits(doc: Document) -> bool:
    """Whether an adapter of the document is of the kind qlora."""
    training = doc.config["training"]
    declared = training.get("adapters") or {"": training}
    return any(settings.get("adapter") == "qlora" for settings in declared.values())


def refuse_fp16(doc: Document, reason: str) -> None:
    """Raise DocumentError at `training.precision` when it asks for fp16."""
    if doc.config["training"]["precision"] == "fp16":
        where, hint = doc.where("training.precision"), "set training.precision to bf16 or fp32, or take the key out"
        raise DocumentError(doc.path, [Problem(where, f"fp16 cannot be trained here: {reason}", hint, code="DLM0408")])


def parameters(base: BaseModel) -> int:
    """How many weights a base has, as registered; of a folder's an estimate by the size of its files; 0 if unknown."""
    if base.parameters or base.location.startswith("hub:"):
        return base.parameters
    try:
        return sum(path.stat().st_size for path in Path(base.location).glob("*.safetensors")) // 2
    except OSError:
        return 0


def precision_choice(precision: Precision) -> Choice:
    """The precision as a line of the plan."""
    value = precision.dtype if precision.quant == "none" else f"{precision.dtype}, base in {precision.quant}"
    return Choice("precision", value, precision.reason)
