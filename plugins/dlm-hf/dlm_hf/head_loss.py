"""The cross entropy through a frozen head in bf16, on a processor: gradients are taken on the way forward.

A chunk of logits is alive at a time, in float32: its share of the loss, and what the loss asks of the states, are
taken before the next chunk's are computed, so that no logits are kept or computed twice.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name

from .cpu_linear import Bf16Linear, WideHead, is_exact, narrowed


def narrow_weight(head: Any) -> torch.Tensor | None:
    """The weight in bf16 that losses through this head are taken with; None when they are taken another way."""
    if is_exact() or head._forward_hooks or head.weight.requires_grad:
        return None
    if type(head) is WideHead:
        return head.narrow()
    return head.weight if type(head) is Bf16Linear else None


class HeadLoss(torch.autograd.Function):
    """The summed cross entropy in nats of states (rows, width) through weight (vocabulary, width); float32."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        chunk: int,
    ) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        grads = torch.empty_like(states, dtype=torch.float32) if wanted else None
        total = torch.zeros((), dtype=torch.float32)
        for start in range(0, len(states), chunk):
            part = narrowed(states[start : start + chunk])
            right = targets[start : start + chunk].unsqueeze(1)
            logits = F.linear(part, weight)[: len(right)].float()
            logits = logits if bias is None else logits.add_(bias)
            top, picked = logits.amax(1, keepdim=True), logits.gather(1, right)
            share = logits.sub_(top).exp_()
            sums = share.sum(1, keepdim=True)
            total += (sums.log() + top - picked).sum()
            if grads is not None:
                share.div_(sums).scatter_add_(1, right, share.new_full((1, 1), -1.0).expand_as(right))
                grads[start : start + chunk] = (narrowed(share) @ weight)[: len(right)]
        ctx.save_for_backward(grads)
        ctx.dtype = states.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        (grads,) = ctx.saved_tensors
        return (grads * grad).to(ctx.dtype), None, None, None, None
