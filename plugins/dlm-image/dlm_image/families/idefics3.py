"""Idefics3 and SmolVLM: a picture is cut into square tiles, read row by row, and seen once more as a whole.

What stands for it is what `Idefics3Processor.replace_image_token` writes; how it is tiled, what
`Idefics3ImageProcessorPil.get_number_of_image_patches` counts (Laurençon et al. 2024, section 3).
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

#: No side is ever longer, whatever a base's settings ask for.
_MOST = 4096
_FAKE, _GLOBAL, _TOKEN = "<fake_token_around_image>", "<global-img>", "<image>"


@dataclass(frozen=True)
class Idefics3:
    """`tile` is the side of a tile in pixels, `tokens` how many vectors a tile becomes."""

    folder: Path
    name: str
    longest: int
    tile: int
    tokens: int
    splits: bool
    placeholder: str = _TOKEN

    def expansion(self, width: int, height: int) -> str:
        rows, columns = self.tiles(width, height)
        one = _TOKEN * self.tokens
        if not rows:
            return f"{_FAKE}{_GLOBAL}{one}{_FAKE}"
        lines = ("".join(f"{_FAKE}<row_{row}_col_{col}>{one}" for col in _from_one(columns)) for row in _from_one(rows))
        return "".join(f"{line}\n" for line in lines) + f"\n{_FAKE}{_GLOBAL}{one}{_FAKE}"

    def tiles(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of tiles; (0, 0) for a picture that is seen as a whole only."""
        if not self.splits:
            return 0, 0
        width, height = _scaled(width, height, self.longest)
        if max(width, height) > _MOST:
            width, height = _scaled(width, height, _MOST)
        # The longer side is brought to whole tiles first, the other one after it.
        if width >= height:
            columns = math.ceil(width / self.tile)
            rows = math.ceil(int(columns * self.tile / (width / height)) / self.tile)
        else:
            rows = math.ceil(height / self.tile)
            columns = math.ceil(int(rows * self.tile * (width / height)) / self.tile)
        return (rows, columns) if rows > 1 or columns > 1 else (0, 0)

    def tensors(self, pictures: Sequence[Picture]) -> Mapping[str, torch.Tensor]:
        """All pictures as those of one row: the model takes them out in their order."""
        made = self._processor([[one.image() for one in pictures]], return_tensors="pt")
        return {name: made[name] for name in ("pixel_values", "pixel_attention_mask")}

    def beside(self, ids: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {}

    @cached_property
    def _processor(self) -> Any:
        return processor(self.folder, self.name)


def read(folder: Path, config: Mapping[str, Any]) -> Idefics3:
    """The family with the settings of the base in `folder`."""
    here = settings(folder, "preprocessor_config.json")
    whole = settings(folder, "processor_config.json")
    return Idefics3(
        folder,
        "SmolVLM" if config["model_type"] == "smolvlm" else "Idefics3",
        here.get("size", {}).get("longest_edge", 4 * 364),
        here.get("max_image_size", {}).get("longest_edge", 364),
        whole.get("image_seq_len", 169),
        here.get("do_image_splitting", True),
    )


def _scaled(width: int, height: int, longest: int) -> tuple[int, int]:
    """The size with `longest` as its longer side; the other is even, as the processor makes it."""
    if width >= height:
        other = int(longest / (width / height))
        return longest, max(1, other + other % 2)
    other = int(longest * (width / height))
    return max(1, other + other % 2), longest


def _from_one(count: int) -> range:
    return range(1, count + 1)
