"""Several adapters at once, each prompt of a batch with weights of its own, exactly.

Every adapted module is linear in its weight W, and adapter i makes Wᵢ of it.  What the weighted sum of the changes
gives for an input x is therefore

    (W + Σ wᵢ·(Wᵢ − W))·x = W·x + Σ wᵢ·(Wᵢ·x − W·x),

whatever kind of adapter it is: LoRA, DoRA or embedding rows.  Nothing is merged and no weight is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError

if TYPE_CHECKING:
    from torch import Tensor

    from dlm_core.api import Blend

#: Tells which prompts, by their places, the rows of the next batch are of.
See = Callable[[Sequence[int]], None]


def see_nothing(places: Sequence[int]) -> None:
    """Where all prompts are answered alike."""


@contextmanager
def blended(model: Any, blend: Blend, count: int) -> Iterator[See]:
    """A context in which the adapters of a PEFT model answer together, prompt by prompt with the weights of `blend`.

    `count` prompts are to be answered.  Raises RunFailedError for an adapter that is not there or cannot be mixed.
    """
    import torch

    known: Mapping[str, Any] = model.peft_config if model is not None else {}
    names = sorted({name for weights in blend.weights for name in weights})
    for name in names:
        if name not in known:
            raise RunFailedError(f"there is no adapter {name!r} here", f"loaded: {', '.join(known) or 'none'}")
    table = torch.tensor([[blend.of(place).get(name, 0.0) for name in names] for place in range(count)])
    now = _Weights(names, table)
    layers = list(_adapted(model))
    for layer in layers:
        layer.forward = _forward(layer, now)
    try:
        yield now.see
    finally:
        for layer in layers:
            del layer.forward


class _Weights:
    """The weights, shape (prompts, adapters), and those of the rows of the batch that is under way."""

    def __init__(self, names: Sequence[str], table: Tensor) -> None:
        self.names, self.table, self.rows = names, table, table

    def see(self, places: Sequence[int]) -> None:
        self.rows = self.table[list(places)]

    def of(self, number: int, like: Tensor) -> Tensor:
        """The weights of adapter `number` for each row of `like`, ready to be multiplied with it."""
        weights = self.rows[:, number].to(like)
        return weights.view(-1, *[1] * (like.dim() - 1))


def _adapted(model: Any) -> Iterator[Any]:
    """The outermost modules that adapters change.  Raises RunFailedError for one that is replaced whole."""
    from peft.tuners.lora import LoraLayer
    from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper

    for name, module in model.named_modules():
        if isinstance(module, ModulesToSaveWrapper):
            raise RunFailedError(
                f"an adapter replaces {name} whole and cannot be mixed", "use it alone: --adapter NAME"
            )
        if isinstance(module, LoraLayer):
            yield module
        elif isinstance(module, TrainableTokensWrapper):
            yield module.token_adapter


def _forward(layer: Any, now: _Weights) -> Callable[..., Tensor]:
    usual = layer.forward

    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        base: Tensor = layer.base_layer(x, *args, **kwargs)
        found = base
        for number, name in enumerate(now.names):
            if not _has(layer, name) or not bool(now.rows[:, number].any()):
                continue
            change = _plain_change(layer, name, x)
            if change is None:
                change = _alone(layer, name, usual, x, *args, **kwargs) - base
            found = found + now.of(number, change) * change
        return found.to(base.dtype)

    return forward


def _has(layer: Any, name: str) -> bool:
    parts = ("lora_A", "lora_embedding_A", "trainable_tokens_delta")
    return any(name in getattr(layer, part, ()) for part in parts)


def _plain_change(layer: Any, name: str, x: Tensor) -> Tensor | None:
    """s·B·A·x of a LoRA on a linear layer: the change itself, so that nothing cancels; None for any other kind."""
    if name not in getattr(layer, "lora_A", ()) or name in layer.lora_variant:
        return None
    a, b = layer.lora_A[name], layer.lora_B[name]
    change: Tensor = b(a(x.to(a.weight.dtype))) * layer.scaling[name]
    return change


def _alone(layer: Any, name: str, usual: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """What the layer gives with this adapter only."""
    before = layer._active_adapter
    layer._active_adapter = [name]
    try:
        return usual(x, *args, **kwargs)
    finally:
        layer._active_adapter = before
