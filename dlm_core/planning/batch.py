"""How many rows an optimizer step takes, and in which passes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..api import Batch, Choice, Document, Hardware, Precision

#: Rows in one optimizer step when the document leaves it to us; fewer when that would leave less than two steps an
#: epoch, since a handful of rows learned in one step an epoch needs many epochs.
ROWS_A_STEP = 8
STEPS_AN_EPOCH = 2

#: Trainers sort the rows of about this many steps by their length, to pad little.
STEPS_SORTED = 16

#: Positions of one forward pass with which a processor is fastest: what they keep stays in its cache.
PASS_POSITIONS = {"fp32": 512, "bf16": 1024}


def most_positions(hardware: Hardware, precision: Precision) -> int | None:
    """How many positions of one forward pass are fastest here; None where more are always faster."""
    return PASS_POSITIONS.get(precision.dtype) if hardware.backend == "cpu" else None


def rows_a_step(pieces: int) -> int:
    """How many rows one optimizer step takes: a power of two, at most ROWS_A_STEP."""
    most = max(1, min(ROWS_A_STEP, pieces // STEPS_AN_EPOCH))
    return 1 << (most.bit_length() - 1)


def largest_batch(lengths: Sequence[int], batch: Batch) -> int:
    """Positions of the largest micro batch, padding included, when rows of like length share a step.

    With many steps an epoch some micro batch is full of the longest rows; with few the longest rows may be the rest.
    """
    ordered, most = sorted(lengths), 0
    if len(ordered) > STEPS_SORTED * batch.rows:
        return batch.most_positions(ordered[-1])
    for start in range(0, len(ordered), batch.rows):
        step = ordered[start : start + batch.rows]
        most = max(most, *(len(rows) * step[rows[-1]] for rows in batch.passes(step)))
    return most


def choose_batch(
    doc: Document, fits: Mapping[int, bool], rows: int, longest: int, bound: int | None
) -> tuple[Batch, tuple[Choice, ...]]:
    """Micro batch and accumulation: the document's where it sets them, otherwise the largest that fits.

    Where the document leaves it to us, `bound` is the most positions of a pass, rows having up to `longest`.
    """
    training = doc.config["training"]
    micro, accumulate = training["micro_batch_size"], training["grad_accum"]
    choices = []
    positions = None
    if micro == "auto":
        most = rows if accumulate == "auto" else max(1, rows // accumulate)
        micro = next((size for size in sorted(fits, reverse=True) if fits[size] and size <= most), 1)
        positions = bound if bound and micro * longest > bound else None
        why = f"; passes of {positions} tokens, with which a processor is fastest" if positions else ""
        choices.append(Choice("micro_batch_size", str(micro), f"the most that fits, at most {most}{why}"))
    if accumulate == "auto":
        accumulate = max(1, math.ceil(rows / micro))
        choices.append(Choice("grad_accum", str(accumulate), f"about {rows} rows an optimizer step"))
    return Batch(micro, accumulate, positions), tuple(choices)
