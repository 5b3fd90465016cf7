"""Rows in tokens, for the plan.  Imports the tokenizer but not torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlm_core.api import Row, RowSize

from .tokens import Coder, chat_examples, load_coder, text_examples


def row_sizes(folder: Path, rows: Sequence[Row], system_prompt: str | None, sequence_len: int) -> list[RowSize]:
    """The size of each row as the trainer would see it.  An over-long chat is reported in its full length."""
    coder = load_coder(folder)
    return [_row_size(coder, row, system_prompt, sequence_len) for row in rows]


def _row_size(coder: Coder, row: Row, system_prompt: str | None, sequence_len: int) -> RowSize:
    if row.kind == "text":
        found = text_examples(coder, row, sequence_len)
        return RowSize(sum(len(one.ids) for one in found), sum(one.labelled for one in found), len(found))
    if row.kind == "chat":
        found = chat_examples(coder, row, system_prompt)
        return RowSize(max(len(one.ids) for one in found), sum(one.labelled for one in found), len(found))
    # Another plugin's kind: only its texts can be counted here.
    return RowSize(sum(len(coder.encode(value)) for value in row.data.values() if isinstance(value, str)), 0)
