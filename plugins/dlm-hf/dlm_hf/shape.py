"""A base model's shape, read from config.json and the headers of its safetensors files.  No weight is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from dlm_core.api import BaseMissingError, BaseShape

_MAX_HEADER = 100_000_000  # bytes; the format's own limit
_BITS = {"F64": 64, "I64": 64, "F32": 32, "I32": 32, "F16": 16, "BF16": 16, "I16": 16, "F8_E4M3": 8, "F8_E5M2": 8}
_BUFFERS = ("rotary_emb.inv_freq", "masked_bias", "attn.bias")

# GPT-2 and its relatives name the same sizes differently.
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "intermediate": ("intermediate_size", "n_inner", "ffn_dim"),
    "vocabulary": ("vocab_size",),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "kv_heads": ("num_key_value_heads",),
}

# What makes logits more than the projection of the last hidden states: Gemma's cap, Cohere's and Granite's scale.
_ON_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


class TensorInfo(NamedTuple):
    """A tensor in a safetensors file: where its bytes start, counted from the start of the file, and how many."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    size: int


def read_shape(folder: Path) -> BaseShape:
    """The shape of the model in `folder`.  Raises BaseMissingError for files that cannot be understood."""
    config = read_config(folder)
    text = {**config, **config.get("text_config", {})}
    sizes = {field: _first(text, names) for field, names in _NAMES.items()}
    missing = sorted(field for field in ("layers", "hidden", "vocabulary", "heads") if not sizes[field])
    if missing:
        raise BaseMissingError(
            f"{folder / 'config.json'} does not give the model's {', '.join(missing)}",
            "only causal language models in the transformers layout can be a base",
        )
    tensors = [info for info in read_tensors(folder) if not info.name.endswith(_BUFFERS)]
    if config.get("tie_word_embeddings") and any("embed_tokens.weight" in info.name for info in tensors):
        tensors = [info for info in tensors if info.name != "lm_head.weight"]
    parameters = sum(prod(info.shape) for info in tensors)
    return BaseShape(
        family=str(config.get("model_type", "")),
        parameters=parameters,
        layers=sizes["layers"],
        hidden=sizes["hidden"],
        intermediate=sizes["intermediate"] or 4 * sizes["hidden"],
        vocabulary=sizes["vocabulary"],
        context=sizes["context"] or 2048,
        heads=sizes["heads"],
        kv_heads=sizes["kv_heads"] or sizes["heads"],
        bytes_per_weight=max(1, round(sum(info.size for info in tensors) / max(1, parameters))),
        plain_head=all(text.get(name) in (None, 1) for name in _ON_LOGITS),
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json as a mapping.  Raises BaseMissingError."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseMissingError(f"{path} cannot be read: {error}", "fetch or copy the model again") from None
    if not isinstance(config, dict):
        raise BaseMissingError(f"{path} is not a JSON object", "fetch or copy the model again")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the model, in the order of their names.

    An index, where there is one, decides: a folder may hold a second copy of the weights for another program.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError):
            raise BaseMissingError(f"{index} cannot be read", "fetch or copy the model again") from None
        if any("/" in name or "\\" in name or not name.endswith(".safetensors") for name in names):
            raise BaseMissingError(f"{index} names files outside its folder", "do not use this model")
        return [folder / name for name in names]
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))


def read_tensors(folder: Path) -> Iterator[TensorInfo]:
    """Every tensor of the model's weight files."""
    for file in weight_files(folder):
        yield from read_header(file)


def read_header(file: Path) -> Iterator[TensorInfo]:
    """The tensors of one safetensors file.  Raises BaseMissingError when its header is damaged."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise ValueError("its header length is impossible")
            header = json.loads(stream.read(length))
        for name, entry in header.items():
            if name != "__metadata__":
                yield _tensor(name, entry, file, 8 + length, size)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaseMissingError(f"{file} is damaged: {error}", "fetch or copy the model again") from None


def _tensor(name: str, entry: Mapping[str, Any], file: Path, start: int, size: int) -> TensorInfo:
    begin, end = entry["data_offsets"]
    shape = tuple(int(length) for length in entry["shape"])
    bits = _BITS.get(entry["dtype"])
    if not 0 <= begin <= end <= size - start or (bits and prod(shape) * bits // 8 != end - begin):
        raise ValueError(f"the tensor {name} lies outside the file or has the wrong size")
    return TensorInfo(name, entry["dtype"], shape, file, start + begin, end - begin)


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((value for name in names if isinstance(value := config.get(name), int)), 0)
