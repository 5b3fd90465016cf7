"""Weights of `.dlm/training.yaml`, applied to rows: whole parts are copies, a fraction keeps a row by a seeded hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from ..api import Row

#: (section id, source) -> weight, for sections whose weight is not 1.
Weights = Mapping[tuple[str, str], float]


def weigh(rows: Iterable[Row], weights: Weights, seed: int) -> Iterator[Row]:
    """The rows to train on, each as often as its section's weight says; the same rows for the same seed."""
    for row in rows:
        weight = weights.get((row.section_id, row.source), 1.0)
        for _ in range(copies(weight, row, seed)):
            yield row


def copies(weight: float, row: Row, seed: int) -> int:
    """How often a row is trained: `floor(weight)`, and once more if its hash is below the fraction."""
    whole = int(weight)
    digest = hashlib.sha256(f"{seed}\nweight\n{row.section_id}\n{row.index}".encode()).digest()
    return whole + (int.from_bytes(digest[:8], "big") < (weight - whole) * 2**64)
