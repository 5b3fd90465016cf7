"""Model families: what a base's config.json says, and how llama.cpp wants to hear it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from dlm_core.api import ExportFailedError


@dataclass(frozen=True, slots=True)
class Family:
    """`arch` is llama.cpp's name; `interleaved` means its rotary pairs are neighbours, so q and k rows move."""

    arch: str
    tensors: gguf.MODEL_ARCH
    interleaved: bool = False


_LLAMA = Family("llama", gguf.MODEL_ARCH.LLAMA, interleaved=True)

#: By `model_type` of config.json.  SmolLM and SmolLM2 say `llama`.
FAMILIES: Mapping[str, Family] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": Family("qwen2", gguf.MODEL_ARCH.QWEN2),
    "qwen3": Family("qwen3", gguf.MODEL_ARCH.QWEN3),
}


#: Types of bases with a language model of these families inside, described in `text_config`.
TOWERED = frozenset({"idefics3", "smolvlm"})


@dataclass(frozen=True, slots=True)
class Shape:
    """A base's hyperparameters.  `rope` holds rope_type, rope_theta and what goes with them."""

    family: Family
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int
    epsilon: float
    tied: bool
    rope: Mapping[str, Any]
    eos: tuple[int, ...]
    bos: int | None
    pad: int | None


def read_shape(folder: Path) -> Shape:
    """Read config.json and generation_config.json.  Raises ExportFailedError for what llama.cpp would get wrong."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExportFailedError(f"{folder} holds no readable config.json: {error}") from error
    config, outer = _language(config), config
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None:
        raise ExportFailedError(
            f"models of type {outer.get('model_type')} cannot be written as GGUF",
            f"Supported model types: {', '.join([*FAMILIES, *sorted(TOWERED)])}.",
        )
    if config.get("hidden_act", "silu") != "silu":
        raise ExportFailedError(f"llama.cpp computes this family with silu, not with {config['hidden_act']}")
    generation = _optional_json(folder / "generation_config.json")
    heads = config["num_attention_heads"]
    return Shape(
        family=family,
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        context=_context(config),
        epsilon=config.get("rms_norm_eps", 1e-6),
        tied=bool(config.get("tie_word_embeddings", False)),
        rope=_rope(config),
        eos=tuple(dict.fromkeys([*_ids(config.get("eos_token_id")), *_ids(generation.get("eos_token_id"))])),
        bos=config.get("bos_token_id"),
        pad=config.get("pad_token_id"),
    )


def add_metadata(writer: gguf.GGUFWriter, shape: Shape, vocabulary: int) -> None:
    """Write the architecture's keys, as llama.cpp's own converter does."""
    writer.add_context_length(shape.context)
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(vocabulary)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope["rope_theta"])
    kind = shape.rope["rope_type"]
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(shape.rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(shape.rope["original_max_position_embeddings"])


def rope_factors(shape: Shape) -> NDArray[np.float32] | None:
    """Llama 3's divisor of each rotary frequency, (head_dim/2,), or None for other kinds of rope.

    Frequencies of wavelengths over original/low_freq_factor are divided by `factor`, those under
    original/high_freq_factor stay, and between them the two are blended (Llama 3.1's reference code).
    """
    rope = shape.rope
    if rope["rope_type"] != "llama3":
        return None
    original, low, high = rope["original_max_position_embeddings"], rope["low_freq_factor"], rope["high_freq_factor"]
    exponents = np.arange(0, shape.head_dim, 2, dtype=np.float32) / shape.head_dim
    wavelengths = 2 * math.pi * rope["rope_theta"] ** exponents
    smooth = np.clip((original / wavelengths - low) / (high - low), 0, 1)
    factors: NDArray[np.float32] = (1 / ((1 - smooth) / rope["factor"] + smooth)).astype(np.float32)
    return factors


def rotary_order(rows: int, heads: int) -> NDArray[np.intp]:
    """Which row of a q or k projection goes where when rotary pairs become neighbours (`permute` in llama.cpp)."""
    return np.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).reshape(-1)


def tensor_names(shape: Shape) -> gguf.TensorNameMap:
    return gguf.get_tensor_name_map(shape.family.tensors, shape.layers)


def _language(config: Mapping[str, Any]) -> Mapping[str, Any]:
    if config.get("model_type") not in TOWERED:
        return config
    return {"tie_word_embeddings": config.get("tie_word_embeddings", False), **config["text_config"]}


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    rope = {"rope_theta": config.get("rope_theta", 10000.0), "rope_type": "default"}
    old = config.get("rope_scaling") or {}
    rope.update({"rope_type": old["type"]} if "type" in old else {})
    rope.update({key: value for key, value in {**old, **(config.get("rope_parameters") or {})}.items() if value})
    if rope["rope_type"] not in ("default", "linear", "llama3", "yarn"):
        raise ExportFailedError(f"rope of type {rope['rope_type']} cannot be written as GGUF")
    if rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise ExportFailedError("partial rotary embeddings cannot be written as GGUF for this family")
    return rope


def _context(config: Mapping[str, Any]) -> int:
    # llama.cpp attends to everything in these families; up to the window that is the same thing.
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    context = int(config.get("max_position_embeddings", 2048))
    return min(context, window) if window else context


def _ids(value: int | list[int] | None) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _optional_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
