"""The network: a Llama decoder as plain functions over a dict of weights named as in transformers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes in elements; head size is `hidden // heads`."""

    vocabulary: int = 4096
    hidden: int = 256
    intermediate: int = 768
    layers: int = 4
    heads: int = 4
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5


def matrix_shapes(shape: Shape) -> dict[str, tuple[int, int]]:
    """The matrices of the blocks, (out, in), in a fixed order."""
    hidden, inner = shape.hidden, shape.intermediate
    parts = {f"self_attn.{name}_proj": (hidden, hidden) for name in "qkvo"}
    parts |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    return {f"model.layers.{i}.{part}.weight": size for i in range(shape.layers) for part, size in parts.items()}


def initial_weights(shape: Shape, seed: int) -> Weights:
    """Fresh fp32 weights: normal with deviation 0.02, the two projections into the residual stream at zero."""
    generator = torch.Generator().manual_seed(seed)
    weights = {"model.embed_tokens.weight": torch.randn(shape.vocabulary, shape.hidden, generator=generator) * 0.02}
    for name, size in matrix_shapes(shape).items():
        into_stream = "o_proj" in name or "down_proj" in name
        weights[name] = torch.zeros(size) if into_stream else torch.randn(size, generator=generator) * 0.02
    for i in range(shape.layers):
        weights[f"model.layers.{i}.input_layernorm.weight"] = torch.ones(shape.hidden)
        weights[f"model.layers.{i}.post_attention_layernorm.weight"] = torch.ones(shape.hidden)
    weights["model.norm.weight"] = torch.ones(shape.hidden)
    return weights


def rope(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables, each (length, head size), in the half-split layout of Llama."""
    size = shape.hidden // shape.heads
    frequencies = 1.0 / shape.rope_theta ** (torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def logits(weights: Weights, tokens: Tensor, tables: tuple[Tensor, Tensor], shape: Shape, dtype: torch.dtype) -> Tensor:
    """Next-token scores (batch, length, vocabulary) in fp32 for tokens (batch, length).

    Matrix products run in `dtype`; the residual stream and the norms stay in fp32.
    """
    stream = functional.embedding(tokens, weights["model.embed_tokens.weight"])
    for i in range(shape.layers):
        layer = f"model.layers.{i}."
        normed = _norm(stream, weights[layer + "input_layernorm.weight"], shape, dtype)
        stream = stream + _attention(weights, layer + "self_attn.", normed, tables, shape)
        normed = _norm(stream, weights[layer + "post_attention_layernorm.weight"], shape, dtype)
        stream = stream + _mlp(weights, layer + "mlp.", normed)
    normed = _norm(stream, weights["model.norm.weight"], shape, dtype)
    return _linear(normed, weights["model.embed_tokens.weight"]).float()


def loss(weights: Weights, window: Tensor, tables: tuple[Tensor, Tensor], shape: Shape, dtype: torch.dtype) -> Tensor:
    """Mean cross-entropy in nats per token over windows (batch, length + 1)."""
    scores = logits(weights, window[:, :-1], tables, shape, dtype)
    return functional.cross_entropy(scores.flatten(0, 1), window[:, 1:].flatten())


def _linear(x: Tensor, weight: Tensor) -> Tensor:
    return functional.linear(x, weight.to(x.dtype))


def _norm(x: Tensor, weight: Tensor, shape: Shape, dtype: torch.dtype) -> Tensor:
    return functional.rms_norm(x, (shape.hidden,), weight, shape.norm_eps).to(dtype)


def _mlp(weights: Weights, prefix: str, x: Tensor) -> Tensor:
    gate = functional.silu(_linear(x, weights[prefix + "gate_proj.weight"]))
    return _linear(gate * _linear(x, weights[prefix + "up_proj.weight"]), weights[prefix + "down_proj.weight"])


def _attention(weights: Weights, prefix: str, x: Tensor, tables: tuple[Tensor, Tensor], shape: Shape) -> Tensor:
    batch, length, _ = x.shape
    query, key, value = (
        _linear(x, weights[f"{prefix}{name}_proj.weight"]).view(batch, length, shape.heads, -1).transpose(1, 2)
        for name in "qkv"
    )
    mixed = functional.scaled_dot_product_attention(_rotate(query, tables), _rotate(key, tables), value, is_causal=True)
    return _linear(mixed.transpose(1, 2).flatten(2), weights[prefix + "o_proj.weight"])


def _rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = tables
    first, second = x.chunk(2, dim=-1)
    return (x * cosine + torch.cat((-second, first), dim=-1) * sine).to(x.dtype)
