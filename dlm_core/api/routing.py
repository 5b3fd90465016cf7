"""Who decides, prompt by prompt, how much of each adapter answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from .interfaces import OpenModel
    from .rows import Message


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of adapters by name, one mapping for each prompt or row, or one for all of them.

    What answers is the base with the weighted sum of the changes that the adapters make to its weights.
    """

    weights: tuple[Mapping[str, float], ...]

    def of(self, place: int) -> Mapping[str, float]:
        """The weights for the prompt or row at `place`."""
        return self.weights[place if len(self.weights) > 1 else 0]


@dataclass(frozen=True, slots=True)
class Route:
    """Each adapter's weight for one prompt, and why it is so."""

    weights: Mapping[str, float]
    reason: str

    @property
    def first(self) -> str:
        """The adapter of the largest weight; of several, the first by name."""
        return min(self.weights, key=lambda name: (-self.weights[name], name))

    @property
    def text(self) -> str:
        """`tone 0.93 · facts 0.07`."""
        return " · ".join(f"{name} {weight:.2f}" for name, weight in self.weights.items())


class Router(ABC):
    """Decides for each prompt how much of each adapter answers.

    What it needs lies in the folder `_NAME` beside a version's adapters, where its trainer left it; a version without
    that folder is not routed.  `dlm prompt`, `chat`, `exam` and `export` get the option `--NAME auto|off`.
    """

    name: ClassVar[str]
    help: ClassVar[str] = ""

    @abstractmethod
    def route(self, folder: Path, model: OpenModel, prompts: Sequence[Sequence[Message]]) -> Iterable[Route]:
        """A route for each prompt, in their order, by what lies in `folder`.  `model.features` may help.

        The route of a prompt must not depend on the others.  Raises RunFailedError for a folder that cannot be read.
        """

    @abstractmethod
    def fixed(self, folder: Path) -> Route:
        """The one mixture that stands for the routes where nothing can route: in an export."""
