"""An adapter merged into its base, one tensor at a time, without building the model.

Formulas as in peft's `merge`: LoRA W + s·B·A; DoRA (W + s·B·A)·m/‖W + s·B·A‖ with the norm of each output row;
s = alpha/r, or alpha/√r for rank-stabilized adapters.  Sums are taken in float32 and rounded once.
Rows of token ids that the adapter brings along replace the base's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_core.api import ExportFailedError

from .adapters import WEIGHTS, read_adapter_config
from .embeddings import grown, missing_rows
from .shape import TensorInfo, read_header, read_tensors
from .token_rows import INDICES, STORED

if TYPE_CHECKING:
    from torch import Tensor

_PREFIX = "base_model.model."
_PARTS = (
    "lora_A.weight",
    "lora_B.weight",
    "lora_B.bias",
    "lora_embedding_A",
    "lora_embedding_B",
    "lora_magnitude_vector",
    "lora_magnitude_vector.weight",
    STORED,
)


def merged_tensors(base: Path, adapter: Path) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the merged model by its name in the base's files, in the base's dtype, on the CPU."""
    delta = read_delta(base, adapter)
    for info in read_tensors(base):
        yield info.name, delta.apply(info)


@dataclass(frozen=True, slots=True)
class Delta:
    """What an adapter changes: low-rank parts by module, and tensors that it replaces whole.

    `rows` says how many rows the embeddings get that lack some for the tokenizer's ids.
    """

    config: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, TensorInfo]]
    replaced: Mapping[str, TensorInfo]
    rows: Mapping[str, int]

    def changes(self, name: str) -> bool:
        """Whether the base's tensor of this name becomes another one."""
        module, _, kind = name.rpartition(".")
        return (
            name in self.replaced
            or name in self.rows
            or (module in self.parts and (kind == "weight" or (kind == "bias" and "lora_B.bias" in self.parts[module])))
        )

    def shape(self, info: TensorInfo) -> tuple[int, ...]:
        """The shape of the merged tensor."""
        return (self.rows.get(info.name, info.shape[0]), *info.shape[1:]) if info.shape else ()

    def apply(self, info: TensorInfo) -> Tensor:
        """The merged tensor, in the dtype of the base's."""
        weight = read_tensor(info)
        if info.name in self.replaced:
            return read_tensor(self.replaced[info.name]).to(weight.dtype)
        if info.name in self.rows:
            weight = grown(weight, self.rows[info.name])
        module, _, kind = info.name.rpartition(".")
        if module not in self.parts or not self.changes(info.name):
            return weight
        parts = {name: read_tensor(part).float() for name, part in self.parts[module].items()}
        if STORED in parts:
            weight = weight.clone()
            weight[list(self.config[INDICES])] = parts[STORED].to(weight.dtype)
        if len(parts) == (STORED in parts):
            return weight
        scale = lora_scale(self.config, module, rank_of(parts))
        if kind == "bias":
            return (weight.float() + scale * parts["lora_B.bias"]).to(weight.dtype)
        return self._weight(weight.float(), parts, scale).to(weight.dtype)

    def _weight(self, weight: Tensor, parts: Mapping[str, Tensor], scale: float) -> Tensor:
        if "lora_embedding_A" in parts:
            return weight + scale * (parts["lora_embedding_B"] @ parts["lora_embedding_A"]).T
        change = scale * (parts["lora_B.weight"] @ parts["lora_A.weight"])
        if self.config.get("fan_in_fan_out"):
            weight = weight.T
        magnitude = parts.get("lora_magnitude_vector", parts.get("lora_magnitude_vector.weight"))
        merged = weight + change
        if magnitude is not None:
            merged = merged * (magnitude / merged.norm(dim=1)).unsqueeze(1)
        return merged.T if self.config.get("fan_in_fan_out") else merged


def rank_of(parts: Mapping[str, Tensor] | Mapping[str, TensorInfo]) -> int:
    """The rank of a module's LoRA matrices."""
    return int(parts["lora_embedding_A" if "lora_embedding_A" in parts else "lora_A.weight"].shape[0])


def lora_scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """The factor before B·A: alpha/r, or alpha/√r with rank-stabilized LoRA, with the module's own alpha if it has one.

    As PEFT matches `alpha_pattern`, the first name that fits counts.
    """
    alpha = config["lora_alpha"]
    for name, value in (config.get("alpha_pattern") or {}).items():
        if module == name or module.endswith(f".{name}"):
            alpha = value
            break
    return float(alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank)


def read_delta(base: Path, adapter: Path) -> Delta:
    """The adapter's tensors matched to the base's.  Raises ExportFailedError for one that has no place there."""
    config, parts, replaced = read_parts(adapter)
    names = {info.name for info in read_tensors(base)}
    stored = _stored_names(names)
    parts = {stored(f"{module}.weight").removesuffix(".weight"): found for module, found in parts.items()}
    replaced = {stored(name): info for name, info in replaced.items()}
    lost = sorted({f"{module}.weight" for module in parts} - names) + sorted(set(replaced) - names)
    if lost:
        raise ExportFailedError(
            f"the adapter changes {lost[0]}, which the base's files do not hold",
            "export the adapter folder instead: it works wherever PEFT does",
        )
    return Delta(config, parts, replaced, missing_rows(base))


def _stored_names(names: set[str]) -> Callable[[str], str]:
    """From a tensor's name in the loaded model to that in the files, where models with several parts have the parts'
    names in another order: `language_model.model.layers` in files, `model.language_model.layers` in memory."""
    same: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        same.setdefault(tuple(sorted(name.split("."))), []).append(name)

    def stored(name: str) -> str:
        found = same.get(tuple(sorted(name.split("."))), ())
        return found[0] if name not in names and len(found) == 1 else name

    return stored


def read_parts(
    adapter: Path,
) -> tuple[dict[str, Any], dict[str, dict[str, TensorInfo]], dict[str, TensorInfo]]:
    """An adapter's settings, its low-rank parts by module, and the tensors it replaces whole; names are the base's."""
    config = read_adapter_config(adapter)
    parts: dict[str, dict[str, TensorInfo]] = {}
    replaced: dict[str, TensorInfo] = {}
    for info in read_header(adapter / WEIGHTS):
        name = info.name.removeprefix(_PREFIX)
        part = next((part for part in _PARTS if name.endswith(f".{part}")), None)
        if part is not None:
            parts.setdefault(name.removesuffix(f".{part}"), {})[part] = info
        else:
            replaced[name] = info
    return config, parts, replaced


def read_tensor(info: TensorInfo) -> Tensor:
    """One tensor's values, read from its place in the file."""
    import torch

    dtypes = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if info.dtype not in dtypes:
        raise ExportFailedError(f"{info.name} has the type {info.dtype}, which cannot be merged into")
    with info.file.open("rb") as stream:
        stream.seek(info.offset)
        data = bytearray(info.size)
        stream.readinto(data)
    return torch.frombuffer(data, dtype=dtypes[info.dtype]).reshape(info.shape)
