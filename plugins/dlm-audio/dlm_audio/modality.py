"""How bases hear: which families do, what stands for a recording in their text, what their forward pass takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dlm_hf.modalities import Modality

if TYPE_CHECKING:
    import torch

    from .kind import Sound


class Family(Protocol):
    """A family of bases, as the files of one of them describe it."""

    @property
    def placeholder(self) -> str: ...
    @property
    def rate(self) -> int:
        """Samples a second."""

    @property
    def most(self) -> float:
        """Seconds beyond which nothing is heard."""

    def expansion(self, samples: int) -> str: ...
    def tensors(self, sounds: Sequence[Sound]) -> Mapping[str, torch.Tensor]: ...


#: From `model_type` in config.json to the module here that has the family's `Family`.
FAMILIES: Mapping[str, str] = {"qwen2_audio": "qwen2_audio"}

#: Clips of fewer seconds crash the family's own code, or have no frame.
LEAST_SECONDS = 0.1


class Hearing(Modality):
    """Recordings for bases of transformers: their feature extractor alone, no torchaudio."""

    kind: ClassVar[str] = "audio"

    def policy(self, folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if config.get("model_type") not in FAMILIES or not (folder / "preprocessor_config.json").is_file():
            return None
        family = family_of(folder)
        return {"rate": family.rate, "least": LEAST_SECONDS, "most": family.most}

    def placeholder(self, folder: Path) -> str:
        return family_of(folder).placeholder

    def expansion(self, folder: Path, facts: Mapping[str, Any]) -> str:
        return family_of(folder).expansion(facts["samples"])

    def tensors(self, folder: Path, loaded: Sequence[Sound]) -> Mapping[str, torch.Tensor]:
        return family_of(folder).tensors(loaded)


def family_of(folder: Path) -> Family:
    """The family of the base in a folder, with that base's own settings."""
    return _read(
        folder, tuple((folder / name).stat().st_mtime_ns for name in ("config.json", "preprocessor_config.json"))
    )


@lru_cache(maxsize=8)
def _read(folder: Path, _stamp: tuple[int, ...]) -> Family:
    from importlib import import_module

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    module = import_module(f".families.{FAMILIES[config['model_type']]}", __package__)
    found: Family = module.read(folder)
    return found


def settings(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a base's folder; empty when it is not there."""
    path = folder / name
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
