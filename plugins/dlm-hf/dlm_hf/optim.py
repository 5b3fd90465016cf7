"""The optimizer and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dlm_core.api import RunFailedError

if TYPE_CHECKING:
    import torch

    from dlm_core.api import TrainingSettings

OPTIMIZERS = ("adamw_torch",)
"""What `training.optimizer` may name today."""

CLIP_NORM = 1.0


def make_optimizer(name: str, parameters: Iterable[torch.nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """AdamW in its fused form, three to eight times faster on an adapter's many small tensors.

    No weight decay: LoRA's B starts at zero, and pulling the adapter to zero pulls it to the base, which is not what
    a document asks for.  State a parameter: `exp_avg` and `exp_avg_sq` in float32, and `step`.
    Raises RunFailedError for a name that is not in `OPTIMIZERS`.
    """
    import torch

    if name not in OPTIMIZERS:
        raise RunFailedError(
            f"the optimizer {name} is not available yet", f"set training.optimizer to {' or '.join(OPTIMIZERS)}"
        )
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0, fused=True)


def learning_rate(step: int, steps: int, peak: float, settings: TrainingSettings) -> float:
    """The rate of step `step`, counted from 0: a linear warm-up, then constant or down to zero after the last step.

    The first step of the warm-up already learns, and cosine is half a period.
    """
    warmup = round(settings.warmup_ratio * steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    match settings.lr_scheduler:
        case "constant":
            return peak
        case "linear":
            return peak * (1 - done)
        case "cosine":
            return peak * 0.5 * (1 + math.cos(math.pi * done))
        case other:
            raise RunFailedError(
                f"the schedule {other} is unknown", "set training.lr_scheduler to cosine, linear or constant"
            )
