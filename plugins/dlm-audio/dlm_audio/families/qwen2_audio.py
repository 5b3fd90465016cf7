"""Qwen2-Audio: a clip of at most `chunk_length` seconds becomes a vector for each 40 milliseconds.

How many is what `Qwen2AudioProcessor` counts from the feature extractor's mask (Chu et al. 2024, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..modality import settings

if TYPE_CHECKING:
    import torch

    from ..kind import Sound

_TOKEN = "<|AUDIO|>"


@dataclass(frozen=True)
class Qwen2Audio:
    """`rate` in samples a second, `most` in seconds, `hop` in samples: how far apart the extractor's frames are."""

    folder: Path
    rate: int
    most: float
    hop: int
    placeholder: str = _TOKEN

    def expansion(self, samples: int) -> str:
        frames = -(-samples // self.hop)
        return _TOKEN * ((((frames - 1) // 2 + 1) - 2) // 2 + 1)

    def tensors(self, sounds: Sequence[Sound]) -> Mapping[str, torch.Tensor]:
        """All clips as one batch: the model takes them out in their order."""
        made = self._extractor(
            [one.samples for one in sounds],
            sampling_rate=self.rate,
            return_attention_mask=True,
            padding="max_length",
            return_tensors="pt",
        )
        return {"input_features": made["input_features"], "feature_attention_mask": made["attention_mask"]}

    @cached_property
    def _extractor(self) -> Any:
        from transformers import WhisperFeatureExtractor

        return WhisperFeatureExtractor.from_pretrained(str(self.folder))


def read(folder: Path) -> Qwen2Audio:
    """The family with the settings of the base in `folder`."""
    here = settings(folder, "preprocessor_config.json")
    rate, hop = here.get("sampling_rate", 16_000), here.get("hop_length", 160)
    return Qwen2Audio(folder, rate, here.get("chunk_length", 30), hop)
