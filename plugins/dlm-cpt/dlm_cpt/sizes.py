"""How much embedding rows that learn add to an adapter and to training.  Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlm_core.api import LocatedBase, Row

#: A row's elements in training: value, gradient and two moments of 4 bytes; in the file the value alone.
_TRAINED, _STORED = 16, 4


@dataclass(frozen=True, slots=True)
class RowsLearned:
    """`ids` of the base's `vocabulary` learn; `stored` and `memory` are what that adds, in bytes."""

    ids: int
    vocabulary: int
    stored: int
    memory: int


def rows_learned(base: LocatedBase, rows: Sequence[Row], sequence_len: int) -> RowsLearned:
    """For the adapter whose prose has the most different tokens."""
    from dlm_hf.tokens import all_examples, load_coder

    coder = load_coder(base.folder)
    names = {name for row in rows for name in row.adapters}
    most = 0
    for name in names:
        own = [row for row in rows if name in row.adapters]
        most = max(most, len({one for example in all_examples(coder, own, None, sequence_len) for one in example.ids}))
    elements = most * base.shape.hidden
    # The map from ids to rows; with tied embeddings the logits of a chunk exist once more.
    lookup = base.shape.vocabulary * 8
    return RowsLearned(most, base.shape.vocabulary, elements * _STORED, elements * _TRAINED + lookup)
