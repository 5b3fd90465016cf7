"""How bases see: which families do, what stands for a picture in their text, what their forward pass takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dlm_hf.modalities import Modality

if TYPE_CHECKING:
    import torch

    from .kind import Picture


class Family(Protocol):
    """A family of bases, as the files of one of them describe it."""

    @property
    def placeholder(self) -> str: ...
    @property
    def longest(self) -> int:
        """The longer side beyond which a picture is made smaller anyway, in pixels."""

    def expansion(self, width: int, height: int) -> str: ...
    def tensors(self, pictures: Sequence[Picture]) -> Mapping[str, torch.Tensor]: ...
    def beside(self, ids: torch.Tensor) -> Mapping[str, torch.Tensor]: ...


#: From `model_type` in config.json to the module here that has the family's `Family`.
FAMILIES: Mapping[str, str] = {
    "idefics3": "idefics3",
    "smolvlm": "idefics3",
    "qwen2_vl": "qwen_vl",
    "qwen2_5_vl": "qwen_vl",
    "qwen3_vl": "qwen_vl",
}


class Sight(Modality):
    """Pictures for bases of transformers, with Pillow alone: no torchvision."""

    kind: ClassVar[str] = "image"

    def policy(self, folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if config.get("model_type") not in FAMILIES or not (folder / "preprocessor_config.json").is_file():
            return None
        return {"longest": family_of(folder).longest}

    def placeholder(self, folder: Path) -> str:
        return family_of(folder).placeholder

    def expansion(self, folder: Path, facts: Mapping[str, Any]) -> str:
        return family_of(folder).expansion(facts["width"], facts["height"])

    def tensors(self, folder: Path, loaded: Sequence[Picture]) -> Mapping[str, torch.Tensor]:
        return family_of(folder).tensors(loaded)

    def beside(self, folder: Path, ids: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return family_of(folder).beside(ids)


def family_of(folder: Path) -> Family:
    """The family of the base in a folder, with that base's own settings."""
    return _read(folder, _stamp(folder))


def _stamp(folder: Path) -> tuple[int, ...]:
    return tuple((folder / name).stat().st_mtime_ns for name in ("config.json", "preprocessor_config.json"))


@lru_cache(maxsize=8)
def _read(folder: Path, _stamp: tuple[int, ...]) -> Family:
    from importlib import import_module

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    module = import_module(f".families.{FAMILIES[config['model_type']]}", __package__)
    found: Family = module.read(folder, config)
    return found


def settings(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a base's folder; empty when it is not there."""
    path = folder / name
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def processor(folder: Path, family: str, **changes: Any) -> Any:
    """The family's image processor in its form for Pillow, with the settings in the base's folder."""
    import transformers

    return getattr(transformers, f"{family}ImageProcessorPil").from_pretrained(str(folder), **changes)
