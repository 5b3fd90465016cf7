"""LoRA on a processor as one operation a layer, in place of PEFT's five.

y = W·x + b + s·B·(A·dropout(x)), with the gradients written out (Hu et al. 2021, §4.1): nothing is kept for the
backward pass but what went in and A·x, and sums are taken into what the base gave.  The results are PEFT's; with a
frozen weight in bf16 all products are in bf16, and what went in is kept so.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from .cpu_linear import Bf16Conv1D, Bf16Linear, is_exact, narrowed


def quicken(adapted: Any) -> None:
    """Let the plain LoRA layers of a model on the processor be computed as one operation each while training.

    DoRA, 4-bit layers and models in bf16 throughout stay as PEFT has them.
    """
    from peft.tuners.lora import Linear as LoraLinear

    for layer in adapted.modules():
        if type(layer) is LoraLinear and not layer.lora_variant and _in_float32(layer.get_base_layer()):
            layer.forward = partial(_forward, layer)


def _in_float32(base: Any) -> bool:
    """Whether float32 goes into a base's layer and comes out of it."""
    return isinstance(base, Bf16Linear | Bf16Conv1D) or base.weight.dtype == torch.float32


def _forward(layer: Any, x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    if others or named or layer.disable_adapters or layer.merged or len(active) != 1 or is_exact():
        result: torch.Tensor = type(layer).forward(layer, x, *others, **named)
        return result
    base, (name,) = layer.get_base_layer(), active
    weight = base.weight.t() if layer.fan_in_fan_out else base.weight
    flat = x.reshape(-1, x.shape[-1])
    dropout = layer.lora_dropout[name]
    rate = dropout.p if layer.training and isinstance(dropout, torch.nn.Dropout) else 0.0
    mask = torch.empty(flat.shape, dtype=torch.bool).bernoulli_(1 - rate) if rate else None
    out: torch.Tensor = CpuLora.apply(  # type: ignore[no-untyped-call]
        flat,
        weight,
        base.bias,
        layer.lora_A[name].weight,
        layer.lora_B[name].weight,
        float(layer.scaling[name]),
        mask,
        1 / (1 - rate) if rate < 1 else 0.0,
    )
    return out.view(*x.shape[:-1], out.shape[-1])


class CpuLora(torch.autograd.Function):
    """The operation: x (rows, in), weight (out, in), A (r, in), B (out, r), mask (rows, in) of what is not dropped."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        mask: torch.Tensor | None,
        grown: float,
    ) -> torch.Tensor:
        rows, taken = len(x), narrowed(x) if weight.dtype == torch.bfloat16 else x
        low = (_dropped(taken, mask, grown) @ a.to(taken.dtype).t())[:rows].float()
        ctx.save_for_backward(taken, a, b, mask, low)
        ctx.weight, ctx.scale, ctx.grown = weight, scale, grown
        out = (taken @ weight.t())[:rows].float().addmm_(low, b.t(), alpha=scale)
        return out if bias is None else out.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        taken, a, b, mask, low = ctx.saved_tensors
        rows, dtype = len(low), taken.dtype
        given, low = (narrowed(grad), narrowed(low)) if dtype == torch.bfloat16 else (grad, low)
        low_grad = (given @ b.to(dtype)).mul_(ctx.scale)
        b_grad = (low.t() @ given).float().mul_(ctx.scale).t().contiguous()
        a_grad = (low_grad.t() @ _dropped(taken, mask, ctx.grown)).float()
        x_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = (given @ ctx.weight)[:rows].float()
            through = low_grad[:rows].float()
            if mask is None:
                x_grad.addmm_(through, a)
            else:
                x_grad.add_((through @ a).mul_(mask).mul_(ctx.grown))
        return x_grad, None, None, a_grad, b_grad, None, None, None


def _dropped(x: torch.Tensor, mask: torch.Tensor | None, grown: float) -> torch.Tensor:
    """x with dropout; rows that only fill it up are behind those of the mask and zero anyway."""
    if mask is None:
        return x
    if len(x) == len(mask):
        return x.mul(mask).mul_(grown)
    out = torch.zeros_like(x)
    torch.mul(x[: len(mask)], mask, out=out[: len(mask)]).mul_(grown)
    return out
