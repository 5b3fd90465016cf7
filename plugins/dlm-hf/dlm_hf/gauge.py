"""The most memory training held on an accelerator, as torch counts it.  The processor's is measured by the run."""

from __future__ import annotations

import torch


def forget(device: torch.device) -> None:
    """Count from now on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> dict[str, float]:
    """`peak_memory` in bytes, what torch holds of the device's memory; nothing on a processor.

    On Apple GPUs there is no high-water mark: what the driver has given and torch has kept comes closest.
    """
    if device.type == "cuda":
        return {"peak_memory": torch.cuda.max_memory_reserved(device)}
    if device.type == "mps":
        return {"peak_memory": torch.mps.driver_allocated_memory()}
    return {}
