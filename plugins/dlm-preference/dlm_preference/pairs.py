"""Preference rows as pairs of examples, pairs as a micro batch, and the log-probabilities of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from dlm_hf.batches import MicroBatch, collate
from dlm_hf.loading import autocast
from dlm_hf.loss import label_losses
from dlm_hf.tokens import Coder, Example, all_examples

if TYPE_CHECKING:
    from dlm_core.api import Row, TrainJob


@dataclass(frozen=True, slots=True)
class Pair:
    """One unit of learning: the prompt with each of its answers.

    `reference` holds the summed log-probabilities of both answers under the reference, or None where there is none.
    """

    chosen: Example
    rejected: Example
    reference: tuple[float, float] | None = None

    @property
    def length(self) -> int:
        return 2 * max(self.chosen.length, self.rejected.length)

    @property
    def tokens(self) -> int:
        return self.chosen.tokens + self.rejected.tokens

    @property
    def labelled(self) -> int:
        return self.chosen.labelled + self.rejected.labelled

    @property
    def units(self) -> int:
        return 1

    @property
    def line(self) -> int:
        return self.chosen.line

    @property
    def row(self) -> int:
        return self.chosen.row // 2


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Some pairs: rows 2n and 2n+1 of `rows` are pair n's chosen and rejected answer.

    `counts` (pairs, 2) are the answers' tokens; `reference` (pairs, 2) is as in `Pair`, zeros where there is none.
    """

    rows: MicroBatch
    counts: torch.Tensor
    reference: torch.Tensor

    @property
    def ids(self) -> torch.Tensor:
        return self.rows.ids

    def to(self, device: torch.device) -> PairBatch:
        dtype = precise(device)
        return PairBatch(
            self.rows.to(device), self.counts.to(device, dtype=dtype), self.reference.to(device, dtype=dtype)
        )


def precise(device: torch.device) -> torch.dtype:
    """The type that log-probabilities are summed in: a hundred tokens in 32 bits lose what a margin is about."""
    return torch.float32 if device.type == "mps" else torch.float64


def all_pairs(job: TrainJob, coder: Coder, rows: Sequence[Row]) -> list[Pair]:
    """A pair of each row.  A pair of which one answer is too long is refused, cut or skipped as the job says.

    Raises RunFailedError that names every over-long pair.
    """
    chats = [chat for row in rows for chat in row.choices or ()]
    found = {
        one.row: one
        for one in all_examples(
            coder, chats, job.system_prompt, job.settings.sequence_len, job.long_rows, job.base.cache
        )
    }
    both = [(found.get(place), found.get(place + 1)) for place in range(0, len(chats), 2)]
    return [Pair(chosen, rejected) for chosen, rejected in both if chosen and rejected]


def collate_pairs(pairs: Sequence[Pair], pad_id: int) -> PairBatch:
    """The answers of all pairs in one batch, padded to the longest."""
    rows = collate([one for pair in pairs for one in (pair.chosen, pair.rejected)], pad_id)
    counts = torch.tensor([[pair.chosen.labelled, pair.rejected.labelled] for pair in pairs], dtype=torch.float32)
    known = torch.tensor([pair.reference or (0.0, 0.0) for pair in pairs], dtype=torch.float64)
    return PairBatch(rows, counts, known)


def log_probabilities(model: Any, batch: PairBatch, plain_head: bool, dtype: str) -> torch.Tensor:
    """The summed log-probability of each answer, stop token included, shape (pairs, 2); with a gradient.

    `model` is the transformers model itself, with or without adapters inside.
    """
    rows = batch.rows
    with autocast(model, dtype):
        each = label_losses(model, rows, plain_head)
    whose = rows.positions // rows.ids.shape[1]
    sums = torch.zeros(len(rows.ids), dtype=precise(each.device), device=each.device)
    return -sums.index_add(0, whose, each.to(sums.dtype)).view(-1, 2)
