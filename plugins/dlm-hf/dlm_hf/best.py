"""Which epoch's adapter is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# A training loss this close to the lowest counts as learned as well: one part in ten, and 0.02 nats.
_RATIO, _NATS = 1.10, 0.02


@dataclass(frozen=True, slots=True)
class Candidate:
    """An adapter after an epoch, with its mean losses in nats."""

    epoch: int
    training: float
    validation: float
    tensors: dict[str, torch.Tensor] = field(repr=False, compare=False)


def offer(kept: list[Candidate], new: Candidate) -> list[Candidate]:
    """The candidates that can still win.

    The winner is the lowest validation loss among the epochs that learned the document about as well as the best
    one did.  As the lowest training loss falls, an early epoch drops out for good; one that is worse in both losses
    than another never wins.
    """
    every = [*kept, new]
    limit = min(one.training for one in every) * _RATIO + _NATS
    learned = [one for one in every if one.training <= limit]
    return [one for one in learned if not any(_beats(other, one) for other in learned)]


def winner(kept: list[Candidate]) -> Candidate:
    """The lowest validation loss among the candidates that are left."""
    return min(kept, key=lambda one: one.validation)


def _beats(one: Candidate, other: Candidate) -> bool:
    """Whether `one` is at least as good in both losses and came later or is better in one."""
    if one.training > other.training or one.validation > other.validation:
        return False
    return (one.training, one.validation) != (other.training, other.validation) or one.epoch > other.epoch
