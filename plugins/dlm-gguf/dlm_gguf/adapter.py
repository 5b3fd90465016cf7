"""A PEFT adapter folder, read as what it does to each weight of its base."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlm_core.api import ExportFailedError

from .weights import Stored, read_folder

Floats = NDArray[np.float32]
EMBEDDING, HEAD = "model.embed_tokens", "lm_head"

#: Settings under which the saved matrices are not simply added to the base's weights.
_FOREIGN = (
    "layer_replication", "target_parameters", "alora_invocation_tokens", "arrow_config", "use_qalora", "use_bdlora",
    "kasa_config", "velora_config", "monteclora_config", "fan_in_fan_out",
)  # fmt: skip
_FOREIGN_STARTS = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """W' = W + s·B·A with A (r, in) and B (out, r); with DoRA each row is then brought to length `magnitude`.

    For an embedding, whose weight is (vocabulary, hidden), A is (r, vocabulary) and B (hidden, r): W' = W + s·(B·A)ᵀ.
    """

    a: Floats
    b: Floats
    scale: float
    embedding: bool = False
    magnitude: Floats | None = None
    bias: Floats | None = None

    @property
    def rank(self) -> int:
        return int(self.a.shape[0])

    def apply(self, weights: Floats, rows: slice | NDArray[np.intp]) -> Floats:
        """The changed rows `rows` of the weight, given the original ones, (rows, columns)."""
        if self.embedding:
            return weights + (self.a[:, rows].T @ self.b.T) * np.float32(self.scale)
        merged: Floats = weights + (self.b[rows] @ self.a) * np.float32(self.scale)
        if self.magnitude is not None:
            merged *= (self.magnitude[rows] / np.linalg.norm(merged, axis=1))[:, None]
        return merged


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """Deltas by module, replaced tensors by tensor name, and new rows (indices, values) by embedding module."""

    config: Mapping[str, Any] = field(default_factory=dict)
    deltas: Mapping[str, Delta] = field(default_factory=dict)
    replaced: Mapping[str, Stored] = field(default_factory=dict)
    tokens: Mapping[str, tuple[NDArray[np.intp], Floats]] = field(default_factory=dict)

    def touches(self, module: str) -> bool:
        """Whether the module's weight differs from the base's, trained token rows aside."""
        return module in self.deltas or f"{module}.weight" in self.replaced


def read_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json.  Raises ExportFailedError when it is missing or asks for what cannot be exported."""
    try:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExportFailedError(f"{folder} is not a PEFT adapter: {error}") from error
    used = [key for key in _FOREIGN if config.get(key)]
    start = str(config.get("init_lora_weights", "")).lower()
    if start.startswith(_FOREIGN_STARTS):
        used.append(f"init_lora_weights={start}")
    if config.get("peft_type") != "LORA":
        used.append(f"peft_type={config.get('peft_type')}")
    if used:
        raise ExportFailedError(f"the adapter uses {', '.join(used)}, which cannot be written as GGUF")
    return config


def read_adapter(folder: Path) -> Adapter:
    """Read a LoRA folder.  Raises ExportFailedError for a tensor it does not know: none is dropped silently."""
    config = read_config(folder)
    groups: dict[str, dict[str, Stored]] = {}
    replaced: dict[str, Stored] = {}
    for name, tensor in read_folder(folder, "adapter_model").items():
        module, part = _split(name.removeprefix("base_model.model."))
        if part in ("weight", "bias"):
            replaced[f"{module}.{part}"] = tensor
        else:
            groups.setdefault(module, {})[part] = tensor
    deltas, tokens = {}, {}
    for module, parts in groups.items():
        if "trainable_tokens_delta" in parts:
            tokens[module] = (_token_indices(config, module), parts.pop("trainable_tokens_delta").array())
        if parts:
            deltas[module] = _delta(config, module, parts)
    for module in deltas:  # PEFT saves the untouched base weight beside an embedding's LoRA
        base = replaced.get(f"{module}.weight")
        if base is not None and module not in (EMBEDDING, HEAD):
            raise ExportFailedError(f"the adapter both replaces and changes {module}")
    return Adapter(config, deltas, replaced, tokens)


def lora_scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """PEFT's factor before B·A: alpha/r, or alpha/√r with rsLoRA; `alpha_pattern` is matched as PEFT matches it."""
    alpha = config["lora_alpha"]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            alpha = value
            break
    return float(alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank)


_PARTS = {
    "lora_A.weight": "a",
    "lora_B.weight": "b",
    "lora_B.bias": "bias",
    "lora_embedding_A": "a",
    "lora_embedding_B": "b",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
}


def _split(name: str) -> tuple[str, str]:
    for part in (*_PARTS, "trainable_tokens_delta"):
        if name.endswith(f".{part}"):
            return name.removesuffix(f".{part}").removesuffix(".token_adapter"), part
    for part in ("weight", "bias"):
        if name.endswith(f".{part}") and ".lora_" not in name:
            return name.removesuffix(f".{part}").removesuffix(".base_layer").removesuffix(".modules_to_save"), part
    raise ExportFailedError(f"the adapter holds a tensor of an unknown kind: {name}")


def _delta(config: Mapping[str, Any], module: str, parts: Mapping[str, Stored]) -> Delta:
    found = {_PARTS[part]: tensor.array() for part, tensor in parts.items()}
    if "a" not in found or "b" not in found:
        raise ExportFailedError(f"the adapter lacks a LoRA matrix of {module}")
    embedding = "lora_embedding_A" in parts
    if embedding and "magnitude" in found:
        raise ExportFailedError("DoRA on embeddings cannot be merged row by row", "Leave embed_tokens out of DoRA.")
    if bool(config.get("use_dora")) != ("magnitude" in found):
        raise ExportFailedError(f"use_dora and the tensors of {module} contradict each other")
    return Delta(scale=lora_scale(config, module, found["a"].shape[0]), embedding=embedding, **found)


def _token_indices(config: Mapping[str, Any], module: str) -> NDArray[np.intp]:
    indices = config["trainable_token_indices"]
    if isinstance(indices, Mapping):
        matching = [value for key, value in indices.items() if module.endswith(key)]
        indices = matching[0] if matching else []
    return np.asarray(indices, np.intp)
