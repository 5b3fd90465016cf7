"""Rows in tokens, for the plan.  Imports the tokenizer but not torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core.api import RowSize

from . import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dlm_core.api import Row
    from dlm_core.cache import RowCache

    from .modalities import Senses


def row_sizes(
    folder: Path,
    rows: Sequence[Row],
    system_prompt: str | None,
    sequence_len: int,
    cache: RowCache | None = None,
    senses: Senses | None = None,
) -> list[RowSize]:
    """The size of each row as the trainer would see it.  An over-long chat is reported in its full length.

    Raises RunFailedError for rows that show kinds of media which the base does not take together.
    """
    if senses is not None:
        senses.refuse_mixture(part for row in rows for part in row.media)
    coder = tokens.load_coder(folder, senses)
    flat = [one for row in rows for one in row.choices or (row,)]
    sizes = iter(tokens.row_sizes(coder, flat, system_prompt, sequence_len, cache))
    return [_together(next(sizes), next(sizes)) if row.choices else next(sizes) for row in rows]


def _together(chosen: RowSize, rejected: RowSize) -> RowSize:
    """Two answers to one prompt, which are read as two sequences."""
    longest = max(chosen.length, rejected.length)
    return RowSize(chosen.tokens + rejected.tokens, chosen.labelled + rejected.labelled, longest=longest)
