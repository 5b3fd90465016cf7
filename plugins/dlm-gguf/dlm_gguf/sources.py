"""The list of tensors of the merged model: where each comes from and what happens to it on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlm_core.api import ExportFailedError

from .adapter import EMBEDDING, HEAD, Adapter, Delta
from .families import Shape, rope_factors, rotary_order, tensor_names
from .weights import Stored, as_float

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One tensor of the file: a stored one, changed by a LoRA or by new token rows, its rows put in `order`."""

    name: str
    stored: Stored
    delta: Delta | None = None
    tokens: tuple[NDArray[np.intp], Floats] | None = None
    order: NDArray[np.intp] | None = None
    bias: Floats | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    @property
    def untouched(self) -> bool:
        """Whether the stored bytes are the tensor."""
        return self.delta is None and self.tokens is None and self.order is None and self.bias is None

    def block(self, first: int, last: int, room: Floats) -> Floats:
        """Rows `first` to `last` of the finished tensor, (rows, columns), C-contiguous; `room` is a scratch buffer."""
        if len(self.shape) == 1:
            return self._vector()
        if self.order is None:
            rows: slice | NDArray[np.intp] = slice(first, last)
            weights = self.stored.floats(first, last, room)
        else:
            rows = self.order[first:last]
            weights = as_float(self.stored.raw(0, self.stored.rows)[rows], self.stored.dtype, room)
        if self.delta is not None:
            weights = self.delta.apply(weights, rows)
        if self.tokens is not None:
            weights = _with_rows(weights, first, *self.tokens)
        return weights

    def _vector(self) -> Floats:
        values = self.stored.floats(0, 1)
        if self.bias is not None:
            values = values + self.bias
        return values if self.order is None else np.ascontiguousarray(values[:, self.order])


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A tensor that is computed rather than read, such as the divisors of rotary frequencies."""

    name: str
    values: Floats
    untouched: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def block(self, first: int, last: int, room: Floats) -> Floats:
        return self.values.reshape(1, -1)


def merged_sources(base: Mapping[str, Stored], adapter: Adapter, shape: Shape) -> list[Source | Constant]:
    """Every tensor of base plus adapter under llama.cpp's names.  Raises ExportFailedError for one it cannot place."""
    names = tensor_names(shape)
    wanted = _with_head(base, adapter, shape)
    _check_adapter(wanted, base, adapter)
    found: list[Source | Constant] = []
    for name, stored in wanted.items():
        module, _, part = name.rpartition(".")
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ExportFailedError(f"the base holds a tensor llama.cpp has no place for: {name}")
        delta = adapter.deltas.get(module)
        is_weight = part == "weight"
        found.append(
            Source(
                name=target,
                stored=stored,
                delta=delta if is_weight else None,
                tokens=_token_rows(adapter, module, shape) if is_weight else None,
                order=_order(module, stored, shape),
                bias=delta.bias * np.float32(delta.scale)
                if delta and delta.bias is not None and not is_weight
                else None,
            )
        )
    factors = rope_factors(shape)
    return [*found, *([Constant("rope_freqs.weight", factors)] if factors is not None else [])]


def _with_head(base: Mapping[str, Stored], adapter: Adapter, shape: Shape) -> dict[str, Stored]:
    """The stored tensors that make the model, replaced ones in their place, and a head of its own where needed.

    With tied embeddings PEFT ties trained token rows, but a LoRA or a copy of one side leaves the other as it was.
    """
    embedding, head = f"{EMBEDDING}.weight", f"{HEAD}.weight"
    wanted = {name: tensor for name, tensor in base.items() if not name.endswith("rotary_emb.inv_freq")}
    if embedding not in wanted:
        raise ExportFailedError(f"the base holds no {embedding}")
    if shape.tied:
        wanted.pop(head, None)
        if adapter.touches(EMBEDDING) or adapter.touches(HEAD):
            wanted[head] = wanted[embedding]
    return {**wanted, **adapter.replaced}


def _check_adapter(wanted: Mapping[str, Stored], base: Mapping[str, Stored], adapter: Adapter) -> None:
    for name, stored in adapter.replaced.items():
        if name not in base and name not in (f"{HEAD}.weight",):
            raise ExportFailedError(f"the adapter holds {name}, which the base lacks")
        if name in base and stored.shape[1:] != base[name].shape[1:]:
            raise ExportFailedError(f"the adapter's {name} has shape {stored.shape}, the base's {base[name].shape}")
    for module in {**adapter.deltas, **adapter.tokens}:
        if f"{module}.weight" not in wanted:
            raise ExportFailedError(f"the adapter changes {module}, which the base lacks")
    for module, delta in adapter.deltas.items():
        rows, columns = wanted[f"{module}.weight"].shape
        a, b = delta.a.shape, delta.b.shape
        if (a[1], b[0]) != ((rows, columns) if delta.embedding else (columns, rows)):
            raise ExportFailedError(
                f"the adapter's {module} was made for a weight of another shape than {rows}×{columns}"
            )
        if delta.bias is not None and f"{module}.bias" not in wanted:
            raise ExportFailedError(f"the adapter gives {module} a bias, which this base has no place for")


def _token_rows(adapter: Adapter, module: str, shape: Shape) -> tuple[NDArray[np.intp], Floats] | None:
    if module == HEAD and shape.tied:
        return adapter.tokens.get(EMBEDDING)
    return adapter.tokens.get(module)


def _order(module: str, stored: Stored, shape: Shape) -> NDArray[np.intp] | None:
    if not shape.family.interleaved or not module.endswith(("self_attn.q_proj", "self_attn.k_proj")):
        return None
    heads = shape.heads if module.endswith("q_proj") else shape.kv_heads
    return rotary_order(stored.shape[0], heads)


def _with_rows(weights: Floats, first: int, indices: NDArray[np.intp], values: Floats) -> Floats:
    inside = (indices >= first) & (indices < first + len(weights))
    if not inside.any():
        return weights
    changed = weights.copy()
    changed[indices[inside] - first] = values[inside]
    return changed
