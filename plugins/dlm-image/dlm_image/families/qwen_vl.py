"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: a picture keeps its shape and becomes a vector for each square of patches.

How large it is seen is `smart_resize` of `Qwen2VLImageProcessorPil` (Wang et al. 2024, section 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..modality import processor, settings

if TYPE_CHECKING:
    import torch

    from ..kind import Picture

_TOKEN = "<|image_pad|>"
#: The bases' own limit is 16,384 vectors a picture; no more than this many pixels a side keeps it below 1,400.
LONGEST = 1024


@dataclass(frozen=True)
class QwenVl:
    """`square` is the side, in pixels, of what becomes one vector; `least` and `most` are pixels of a whole picture."""

    folder: Path
    square: int
    least: int
    most: int
    token: int
    placeholder: str = _TOKEN
    longest: int = LONGEST

    def expansion(self, width: int, height: int) -> str:
        width, height = self.seen(width, height)
        return _TOKEN * (width * height // self.square**2)

    def seen(self, width: int, height: int) -> tuple[int, int]:
        """The size, in pixels, that a picture is brought to: whole squares, no more and no less than allowed."""
        across, down = round(width / self.square) * self.square, round(height / self.square) * self.square
        if across * down > self.most:
            factor = math.sqrt(width * height / self.most)
            across = max(self.square, math.floor(width / factor / self.square) * self.square)
            down = max(self.square, math.floor(height / factor / self.square) * self.square)
        elif across * down < self.least:
            factor = math.sqrt(self.least / (width * height))
            across = math.ceil(width * factor / self.square) * self.square
            down = math.ceil(height * factor / self.square) * self.square
        return across, down

    def tensors(self, pictures: Sequence[Picture]) -> Mapping[str, torch.Tensor]:
        """The patches of all pictures one after the other, and how many each has."""
        made = self._processor([one.image() for one in pictures], return_tensors="pt")
        return {name: made[name] for name in ("pixel_values", "image_grid_thw")}

    def beside(self, ids: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """Where pictures stand: positions in them have two dimensions."""
        return {"mm_token_type_ids": (ids == self.token).int()}

    @cached_property
    def _processor(self) -> Any:
        return processor(self.folder, "Qwen2VL")


def read(folder: Path, config: Mapping[str, Any]) -> QwenVl:
    """The family with the settings of the base in `folder`."""
    here = settings(folder, "preprocessor_config.json")
    size = here.get("size") or {}
    return QwenVl(
        folder,
        here.get("patch_size", 14) * here.get("merge_size", 2),
        here.get("min_pixels") or size.get("shortest_edge") or 56 * 56,
        here.get("max_pixels") or size.get("longest_edge") or 28 * 28 * 1280,
        config["image_token_id"],
    )
