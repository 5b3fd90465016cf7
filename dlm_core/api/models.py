"""Base models and the settings a document trains them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ..cache import RowCache


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A pretrained model that a document can name.

    `location` is `hub:org/name` (fetched by an engine at `revision`) or the absolute path of a folder.
    `parameters` counts weights, `context` is in tokens, `size` is the download in bytes; 0 means unknown.
    `accepts` maps each media kind the base understands to that kind's limits.
    `recommended` maps dotted frontmatter keys to values that suit this base; `dlm init` writes them out.
    """

    key: str
    location: str
    revision: str = ""
    parameters: int = 0
    context: int = 0
    size: int = 0
    family: str = ""
    license: str = ""
    gated: bool = False
    summary: str = ""
    accepts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recommended: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BaseShape:
    """What an engine reads from a base's files without loading a weight.  Sizes are in elements.

    `plain_head` is False when the logits are more than a linear map of the last hidden states (a soft cap, a scale).
    """

    family: str
    parameters: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    context: int
    heads: int
    kv_heads: int
    bytes_per_weight: int
    plain_head: bool = True


@dataclass(frozen=True, slots=True)
class LocatedBase:
    """A base whose files lie in `folder`; `sha256` covers the names and contents of the files that matter.

    Core adds `cache` to what an engine located: where engines and trainers may keep what they make of rows for this
    base, or None where nothing is to be kept (see `dlm_core.cache`).
    """

    model: BaseModel
    folder: Path
    shape: BaseShape
    sha256: str
    cache: RowCache | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """The settings of one named adapter."""

    adapter: Literal["lora", "qlora", "dora"] = "lora"
    lora_r: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    target_modules: Literal["auto"] | tuple[str, ...] = "auto"
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        # Settings travel as JSON, where a tuple is a list; equality must survive the trip.
        if isinstance(self.target_modules, list):
            object.__setattr__(self, "target_modules", tuple(self.target_modules))


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """The settings of a run that all its adapters share.

    `max_steps`, which no document sets: the most optimizer steps of each adapter in each phase.  Training ends there,
    and the schedule of the learning rate is made for that many.  `lr_floor`, which a phase may set: the share of the
    highest learning rate that a falling schedule ends at.
    """

    sequence_len: int = 2048
    num_epochs: int = 3
    optimizer: str = "adamw_torch"
    lr_scheduler: str = "cosine"
    warmup_ratio: float = 0.1
    seed: int = 42
    max_steps: int | None = None
    lr_floor: float = 0.0

    def most_steps(self, steps: int) -> int:
        """How many of so many optimizer steps are taken."""
        return steps if self.max_steps is None else min(steps, self.max_steps)
