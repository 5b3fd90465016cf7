"""What a document's optimizer means on this machine, as a choice of the plan."""

from __future__ import annotations

from collections.abc import Mapping

from ..api import AdapterSettings, Choice, Hardware


def optimizer_choice(name: str, adapters: Mapping[str, AdapterSettings], hardware: Hardware) -> tuple[Choice, ...]:
    """What it keeps of the gradients, where that is not plain AdamW."""
    eight = "moments in 8 bits for tensors of at least 4,096 weights"
    if name == "paged_adamw_8bit" and hardware.backend in ("cpu", "mps"):
        return (Choice("optimizer", "adamw_bnb_8bit", f"{eight}; there is no GPU memory here to page them out of"),)
    if name == "paged_adamw_8bit":
        return (Choice("optimizer", name, f"{eight}, paged to main memory when the GPU's is full"),)
    if name.startswith("galore"):
        ranks = ", ".join(sorted({f"{one.lora_r // 2} of {one.lora_r}" for one in adapters.values()}))
        more = f"; {eight}" if "8bit" in name else ""
        return (Choice("optimizer", name, f"gradients projected to rank {ranks}, anew every 50 steps{more}"),)
    return (Choice("optimizer", name, eight),) if "8bit" in name else ()
