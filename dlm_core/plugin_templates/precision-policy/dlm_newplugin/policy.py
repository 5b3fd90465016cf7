"""The policy: bfloat16 on processors that compute it natively."""

from __future__ import annotations

from dlm_core.api import BaseModel, Document, Hardware, Precision, PrecisionPolicy


class NewPlugin(PrecisionPolicy):
    """Asked before core's own policy, whose rank is -100; `None` leaves the choice to the next."""

    name = "newplugin"
    rank = 10

    def decide(self, hardware: Hardware, base: BaseModel, doc: Document) -> Precision | None:
        if doc.config["training"]["precision"] or hardware.backend != "cpu" or not hardware.bf16:
            return None
        return Precision("bf16", "none", f"{hardware.name} computes bf16 natively")
