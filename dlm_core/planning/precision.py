"""Core's own precision policy, asked last: it never declines."""

from __future__ import annotations

from ..api import BaseModel, Document, Hardware, Precision, PrecisionPolicy


class AutomaticPrecision(PrecisionPolicy):
    """The document's `training.precision` if it is set, otherwise what this machine trains well in."""

    name = "automatic"
    rank = -100

    def decide(self, hardware: Hardware, base: BaseModel, doc: Document) -> Precision:
        asked = doc.config["training"]["precision"]
        if asked:
            return Precision(asked, "none", "the document says so")
        if hardware.backend in ("cuda", "rocm"):
            if hardware.bf16:
                return Precision("bf16", "none", f"{hardware.name} computes bf16 natively")
            return Precision("fp32", "none", f"{hardware.name} has no native bf16, and fp16 needs loss scaling")
        if hardware.backend == "mps":
            return Precision("fp32", "none", "fp16 attention on Apple GPUs can give NaN")
        return Precision("fp32", "none", "the safe choice on a processor; same bits on every run")
