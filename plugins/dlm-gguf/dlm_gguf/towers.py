"""Bases with a tower: what sees in front of a language model, and the file that llama.cpp wants for it (`mmproj`).

The keys and names of that file are those of llama.cpp's `tools/mtmd` and of its own converter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import gguf

from dlm_core.api import ExportFailedError

from .adapter import Adapter
from .sources import Source
from .weights import Stored
from .write import Target, tensor_bytes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Family:
    """`language` begins the names of the language model's tensors, one of `own` those of everything else."""

    language: str
    own: tuple[str, ...]
    describe: Callable[[gguf.GGUFWriter, Mapping[str, Any], Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A tower with what an adapter does to it: `config` is the base's config.json, `files` its preprocessor's."""

    family: Family
    config: Mapping[str, Any]
    files: Mapping[str, Any]
    sources: Sequence[Source]

    def language_tensors(self, base: Mapping[str, Stored]) -> dict[str, Stored]:
        """The language model's tensors under the names they have in a base that only reads."""
        return self._language(base)

    def language_adapter(self, adapter: Adapter) -> Adapter:
        """What the adapter does to the language model."""
        deltas, replaced = self._language(adapter.deltas), self._language(adapter.replaced)
        return replace(adapter, deltas=deltas, replaced=replaced, tokens=self._language(adapter.tokens))

    def _language(self, found: Mapping[str, T]) -> dict[str, T]:
        own, begin = self.family.own, self.family.language
        return {
            f"model.{name.removeprefix(begin)}" if name.startswith(begin) else name: one
            for name, one in found.items()
            if not name.startswith(own)
        }

    def target(self, path: Path) -> Target:
        """The file, about to be written."""
        types = {source.name: _type(source) for source in self.sources}
        return Target(path, types, self._metadata, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.MMPROJ])

    @property
    def bytes(self) -> int:
        return sum(tensor_bytes(_type(source), source.shape) for source in self.sources)

    def _metadata(self, writer: gguf.GGUFWriter) -> None:
        writer.add_type(gguf.GGUFType.MMPROJ)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        self.family.describe(writer, self.config, self.files)


def read_tower(folder: Path, base: Mapping[str, Stored], adapter: Adapter) -> Model | None:
    """The tower of a base; None for one that only reads.

    Raises ExportFailedError for a tensor that llama.cpp has no place for: none is left out.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None:
        return None
    preprocessor = folder / "preprocessor_config.json"
    files = json.loads(preprocessor.read_text("utf-8")) if preprocessor.is_file() else {}
    if not files.get("do_image_splitting", True):
        raise ExportFailedError("llama.cpp cuts every picture into tiles; this base was made to see it as a whole")
    return Model(family, config, files, _sources(family, config, base, adapter))


def _sources(family: Family, config: Mapping[str, Any], base: Mapping[str, Stored], adapter: Adapter) -> list[Source]:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, _layers(config))
    own = {name: adapter.replaced.get(name, one) for name, one in base.items() if name.startswith(family.own)}
    lacking = [name for name in adapter.deltas if name.startswith(family.own) and f"{name}.weight" not in own]
    if lacking:
        raise ExportFailedError(f"the adapter changes {lacking[0]}, which the base lacks")
    found = []
    for name, stored in own.items():
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ExportFailedError(f"the base holds a tensor llama.cpp has no place for: {name}")
        module, _, part = name.rpartition(".")
        found.append(Source(target, stored, adapter.deltas.get(module) if part == "weight" else None))
    return found


def _type(source: Source) -> gguf.GGMLQuantizationType:
    """Halves where the base has no more than that; vectors and embeddings stay whole, as llama.cpp reads them so."""
    if len(source.shape) == 1 or "embd" in source.name or source.stored.dtype == "F32":
        return gguf.GGMLQuantizationType.F32
    return gguf.GGMLQuantizationType.F16


def _layers(config: Mapping[str, Any]) -> int:
    return int(config["vision_config"].get("num_hidden_layers", 12))


def _describe_idefics3(writer: gguf.GGUFWriter, config: Mapping[str, Any], files: Mapping[str, Any]) -> None:
    seen = config["vision_config"]
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    writer.add_vision_projection_dim(config["text_config"]["hidden_size"])
    writer.add_vision_image_size(seen["image_size"])
    writer.add_vision_patch_size(seen["patch_size"])
    writer.add_vision_embedding_length(seen.get("hidden_size", 1152))
    writer.add_vision_feed_forward_length(seen.get("intermediate_size", 3072))
    writer.add_vision_block_count(_layers(config))
    writer.add_vision_head_count(seen.get("num_attention_heads", 16))
    writer.add_vision_attention_layernorm_eps(seen.get("layer_norm_eps", 1e-6))
    writer.add_vision_image_mean(files["image_mean"])
    writer.add_vision_image_std(files["image_std"])
    writer.add_vision_preproc_image_size(files.get("size", {}).get("longest_edge", seen["image_size"]))
    writer.add_vision_projector_scale_factor(config.get("scale_factor", 2))
    writer.add_vision_use_gelu(True)


_IDEFICS3 = Family("model.text_model.", ("model.vision_model.", "model.connector."), _describe_idefics3)

#: By `model_type` of config.json, as in `families.TOWERED`.
FAMILIES: Mapping[str, Family] = {"idefics3": _IDEFICS3, "smolvlm": _IDEFICS3}
