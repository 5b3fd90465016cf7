"""Rows in tokens, for the plan.  Imports the tokenizer but not torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dlm_core.api import Row, RowSize
    from dlm_core.cache import RowCache


def row_sizes(
    folder: Path, rows: Sequence[Row], system_prompt: str | None, sequence_len: int, cache: RowCache | None = None
) -> list[RowSize]:
    """The size of each row as the trainer would see it.  An over-long chat is reported in its full length."""
    return tokens.row_sizes(tokens.load_coder(folder), rows, system_prompt, sequence_len, cache)
