"""What is lost where one mixture of the adapters stands for a router: its loss beside that of the routed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .routing import RoutedModel

if TYPE_CHECKING:
    from .answering import Chosen
    from .api import OpenModel, Row
    from .preparing import Ready

#: So many rows are enough to tell two losses apart.
MOST_ROWS = 128


@dataclass(frozen=True, slots=True)
class Standing:
    """The fixed mixture's `weights`, and losses in nats a token over `rows` rows: `held out`, or `trained` without any.

    `reason` is the router's, for the mixture.
    """

    router: str
    reason: str
    weights: Mapping[str, float]
    side: str
    rows: int
    routed_loss: float
    fixed_loss: float

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "weights": dict(self.weights)}

    @property
    def text(self) -> str:
        """One line for people."""
        rows = f"{self.rows} {self.side} row{'s' if self.rows > 1 else ''}"
        losses = f"loss {self.fixed_loss:.3f}, with it {self.routed_loss:.3f} ({rows})"
        return f"cannot be exported, its mean mixture is: {losses}"


def measure_standing(chosen: Chosen, ready: Ready, adapters: Path, open_with: Callable[[Path], OpenModel]) -> Standing:
    """Score held-out rows with the router and with its one mixture; `open_with` loads the base and a folder."""
    assert chosen.duty is not None
    side, rows = _rows(ready)
    with open_with(adapters) as opened:
        routed = _loss(RoutedModel(opened, chosen.duty), rows, chosen.name)
    with open_with(chosen.folder) as opened:
        fixed = _loss(opened, rows, chosen.name)
    route = chosen.duty.fixed()
    return Standing(chosen.duty.name, route.reason, route.weights, side, len(rows), routed, fixed)


def _rows(ready: Ready) -> tuple[str, list[Row]]:
    """The rows to score, evenly drawn when there are many."""
    for side, rows in (("held-out", ready.validation), ("trained", ready.train)):
        scorable = [row for row in rows if row.kind in ("text", "chat")]
        if scorable:
            return side, scorable[:: -(-len(scorable) // MOST_ROWS)]
    return "trained", []


def _loss(model: OpenModel, rows: Sequence[Row], adapter: str) -> float:
    scores = list(model.score(rows, adapter))
    tokens = sum(score.tokens for score in scores)
    return sum(score.loss_sum for score in scores) / tokens if tokens else 0.0
