"""Examples into batches: which rows share an optimizer step, and what a forward pass receives."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from dlm_core.api import Batch

    from .modalities import Senses
    from .tokens import Example

# Rows of this many steps are sorted by length together: enough to pad little, few enough to keep steps mixed.
_BUCKET_STEPS = 16

Step = list[list[int]]
"""The micro batches of one optimizer step, each a list of example indices."""


class Learnable(Protocol):
    """What the loop learns from, one at a time: an `Example`, or what another phase makes of a row.

    `length` is how many positions it takes in a batch, `tokens` how many are read, `labelled` how many of them have a
    label.  `units` is how often it counts: a step's gradient is that of the summed loss over the step's units.
    """

    @property
    def length(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def labelled(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def row(self) -> int: ...


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one forward pass receives.  Rows are padded on the right, to the longest of them.

    `ids` has shape (rows, longest).  There is no attention mask: with causal attention a token never sees what is
    right of it, and no padded position has a target.  `positions` are indices into the flattened (rows · longest)
    positions whose next token is learned, and `targets` those next tokens.  `beside` is what the forward pass takes
    beside ids: the rows' media.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    lines: tuple[int, ...]
    beside: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> MicroBatch:
        if device.type == "cpu":
            return self
        beside = {name: one.to(device) for name, one in self.beside.items()}
        return MicroBatch(self.ids.to(device), self.positions.to(device), self.targets.to(device), self.lines, beside)


def collate(examples: Sequence[Example], pad_id: int, senses: Senses | None = None) -> MicroBatch:
    """Pad examples to the longest and list the positions that predict a learned token; `senses` opens their media."""
    longest = max(len(one.ids) for one in examples)
    ids = torch.tensor([one.ids + (pad_id,) * (longest - len(one.ids)) for one in examples])
    learned = torch.tensor([one.learned[1:] + (False,) * (longest - len(one.ids) + 1) for one in examples])
    positions = learned.flatten().nonzero().squeeze(1)
    # A predicting position is never the last of its row, so the next flat position is in the same row.
    media = [part for one in examples for part in one.media]
    beside = senses.tensors(media, ids) if senses and media else {}
    return MicroBatch(ids, positions, ids.flatten()[positions + 1], tuple(one.line for one in examples), beside)


def in_turn(examples: Sequence[Learnable], turns: Mapping[str, Sequence[int]], epoch: int) -> list[int]:
    """The indices of the examples that an epoch trains; what has no `key`, or none in `turns`, is trained in each."""
    return [at for at, one in enumerate(examples) if epoch in turns.get(getattr(one, "key", ""), (epoch,))]


def epoch_steps(
    lengths: Sequence[int], batch: Batch, seed: int, epoch: int, among: Sequence[int] | None = None
) -> list[Step]:
    """The steps of one epoch: every example, or those `among` which are its turn, once, in an order that depends on
    `seed` and `epoch` only.

    Which examples share a step depends on `batch.rows` alone, so 4 rows once and 1 row four times learn the same.
    """
    draw = random.Random(f"{seed}:{epoch}")
    order = list(range(len(lengths)) if among is None else among)
    draw.shuffle(order)
    bucket = batch.rows * _BUCKET_STEPS
    steps = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        rows.sort(key=lambda row: lengths[row])
        steps += [rows[place : place + batch.rows] for place in range(0, len(rows), batch.rows)]
    draw.shuffle(steps)
    return [_divided(step, lengths, batch) for step in steps]


def _divided(rows: Sequence[int], lengths: Sequence[int], batch: Batch) -> Step:
    return [[rows[at] for at in one] for one in batch.passes([lengths[row] for row in rows])]


def first_steps(epochs: Sequence[list[Step]], most: int | None) -> list[list[Step]]:
    """The epochs up to the `most`-th step; the last may be cut short."""
    kept: list[list[Step]] = []
    for epoch in epochs:
        left = len(epoch) if most is None else most - sum(map(len, kept))
        if left > 0:
            kept.append(epoch[:left])
    return kept


def longest_first(steps: Sequence[Step], lengths: Sequence[int]) -> list[Step]:
    """The same steps, the one with the longest row in front and its longest micro batch first: memory fails at once.

    Which step that is does not depend on how steps are divided.
    """
    front = max(steps, key=lambda step: max(lengths[row] for micro in step for row in micro))
    return [front[::-1], *(step for step in steps if step is not front)]


def in_order(lengths: Sequence[int], batch: Batch) -> list[list[int]]:
    """Micro batches of rows of like length, for measuring without learning."""
    return _divided(sorted(range(len(lengths)), key=lambda row: lengths[row]), lengths, batch)


def largest(lengths: Sequence[int], steps: Sequence[Step]) -> list[int]:
    """The micro batch with the most positions, padding included."""
    return max((micro for step in steps for micro in step), key=lambda micro: positions(lengths, micro))


def positions(lengths: Sequence[int], micro: Sequence[int]) -> int:
    """How many positions a micro batch has, padding included."""
    return len(micro) * max(lengths[row] for row in micro)
