"""The frozen linear layers of a base on a processor with bf16 instructions: products in bf16, everything else float32.

The weights of these layers, nearly all of a model, are stored in bf16; what goes into a product is rounded to bf16 as
it goes in, its sums are taken in float32 and rounded once.  What lies between the products (norms, attention,
activations, the residual stream) stays float32: rounding it too is no faster on a processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from transformers.pytorch_utils import Conv1D

#: Rows are filled up to multiples of these, few rows and many, so that a handful of compiled kernels serves all
#: batches: one for each number of rows would be compiled, and kept, for every other length of batch.
_FEW, _MANY = 8, 64

#: A model with a larger share of its weights outside linear layers and embeddings stays in bf16 throughout.
_MOST_OUTSIDE = 0.05

_exact: ContextVar[bool] = ContextVar("exact", default=False)


class Bf16Linear(torch.nn.Linear):
    """A frozen linear layer with its weight in bf16; takes any type, gives float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _layer_product(x, self.weight, self.bias)


class Bf16Conv1D(Conv1D):  # type: ignore[misc, no-any-unimported]
    """As Bf16Linear, for GPT-2's transposed layers: weight (in, out)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _layer_product(x, self.weight.t(), self.bias)


class WideHead(torch.nn.Linear):
    """A head that shares its float32 weight with the embeddings; losses are taken with a copy of it in bf16."""

    _narrow: tuple[int, int, torch.Tensor] | None = None

    def narrow(self) -> torch.Tensor:
        """The weight in bf16, made anew only when the weight was written to."""
        state = self.weight.data_ptr(), self.weight._version
        if self._narrow is None or self._narrow[:2] != state:
            self._narrow = (*state, self.weight.detach().bfloat16())
        return self._narrow[2]


_NARROW: dict[type, type] = {torch.nn.Linear: Bf16Linear, Conv1D: Bf16Conv1D}
_KNOWN = {*_NARROW, *_NARROW.values(), WideHead}


def multiply_in_bf16(model: Any) -> bool:
    """Narrow the weights of a model's frozen linear layers to bf16 and widen everything else; whether it was done.

    Layers in 4 bits stay so.  Models with many weights in layers of other kinds (stacked experts) are left as they
    are.  Calling it again narrows what was added since.
    """
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear | Conv1D)]
    shared = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    if not _knows(model, layers, shared):
        return False
    head = model.get_output_embeddings()
    inside = {id(one.weight) for one in layers if id(one.weight) not in shared and type(one) in _KNOWN}
    for one in model.parameters():
        if id(one) not in inside and one.is_floating_point():
            one.data = one.data.float()
    for layer in layers:
        if id(layer.weight) in inside:
            layer.weight.data = layer.weight.data.bfloat16()
            layer.__class__ = _NARROW.get(type(layer), type(layer))
        elif layer is head and type(layer) is torch.nn.Linear:
            layer.__class__ = WideHead
    return True


def _knows(model: Any, layers: list[Any], embeddings: set[int]) -> bool:
    """Whether nearly all weights are in layers that can be narrowed or hold 4 bits, in embeddings, or are vectors.

    `embeddings` are the ids of their weights.
    """
    if any(type(layer) not in _KNOWN and layer.weight.is_floating_point() for layer in layers):
        return False
    known = embeddings | {id(layer.weight) for layer in layers}
    outside = sum(one.numel() for one in model.parameters() if id(one) not in known and one.dim() > 1)
    return outside <= _MOST_OUTSIDE * sum(one.numel() for one in model.parameters())


def is_mixed(model: Any) -> bool:
    """Whether `multiply_in_bf16` was applied to this model."""
    return any(isinstance(module, Bf16Linear | Bf16Conv1D | WideHead) for module in model.modules())


@contextmanager
def exact() -> Iterator[None]:
    """A context in which these layers multiply in float32, with the same weights: for comparing with other programs."""
    token = _exact.set(True)
    try:
        yield
    finally:
        _exact.reset(token)


def is_exact() -> bool:
    return _exact.get()


def narrowed(x: torch.Tensor) -> torch.Tensor:
    """A matrix in bf16, its rows filled up with zeros to one of the numbers that kernels are kept for."""
    rows = len(x)
    step = _FEW if rows < _MANY else _MANY
    full = rows if rows == 1 else -(-rows // step) * step
    if full == rows:
        return x.bfloat16()
    filled = torch.empty(full, x.shape[1], dtype=torch.bfloat16)
    filled[:rows] = x
    filled[rows:] = 0
    return filled


def _layer_product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    if is_exact():
        return F.linear(x.float(), weight.float(), bias)
    out: torch.Tensor = FrozenProduct.apply(x.reshape(-1, x.shape[-1]), weight)  # type: ignore[no-untyped-call]
    out = out if bias is None else out + bias
    return out.view(*x.shape[:-1], weight.shape[0])


class FrozenProduct(torch.autograd.Function):
    """x (rows, in) times a frozen bf16 weight (out, in), in float32; only x gets a gradient."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.weight, ctx.dtype = weight, x.dtype
        return F.linear(narrowed(x), weight)[: len(x)].float()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        return (narrowed(grad) @ ctx.weight)[: len(grad)].to(ctx.dtype), None
