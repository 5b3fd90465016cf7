"""One training example: token ids with a mask, held in two or four bytes an id however many there are."""

from __future__ import annotations

from array import array
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlm_core.api import Media


class Example:
    """Token ids and, for each, whether it is learned; `row` indexes the rows it was made from, `line` their document.
    `media` are the files that some of the ids stand for, in their order.

    An id is predicted from the ids before it, so the first one is never learned.  `ids` and `learned` are made anew
    whenever they are asked for: a hundred million tuples of numbers would not fit where their bytes do.
    """

    __slots__ = ("_ids", "_runs", "key", "line", "media", "row")

    def __init__(
        self,
        ids: Sequence[int],
        learned: Sequence[bool],
        line: int = 0,
        key: str = "",
        row: int = 0,
        media: tuple[Media, ...] = (),
    ) -> None:
        self._ids, self._runs = ids if isinstance(ids, array) else compact(ids), runs_of(learned)
        self.line, self.key, self.row, self.media = line, key, row, media

    @classmethod
    def of_runs(cls, ids: array[int], runs: tuple[int, ...], line: int, key: str, row: int) -> Example:
        """An example whose mask is given as the lengths of its unlearned, learned, unlearned … stretches."""
        self = cls.__new__(cls)
        self._ids, self._runs, self.line, self.key, self.row, self.media = ids, runs, line, key, row, ()
        return self

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self._ids)

    @property
    def learned(self) -> tuple[bool, ...]:
        found: tuple[bool, ...] = ()
        for place, length in enumerate(self._runs):
            found += (place % 2 == 1,) * length
        return found

    @property
    def length(self) -> int:
        return len(self._ids)

    @property
    def tokens(self) -> int:
        return len(self._ids)

    @property
    def labelled(self) -> int:
        return sum(self._runs[1::2])

    @property
    def units(self) -> int:
        return self.labelled

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Example) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return f"Example(ids={self.ids}, learned={self.learned}, line={self.line}, key={self.key!r}, row={self.row})"

    def _parts(self) -> tuple[object, ...]:
        return self.ids, self._runs, self.line, self.key, self.row, self.media


def compact(ids: Sequence[int]) -> array[int]:
    """Ids in two bytes each where they all fit, else in four."""
    return array("H" if max(ids, default=0) < 2**16 else "I", ids)


def runs_of(learned: Sequence[bool]) -> tuple[int, ...]:
    """A mask as the lengths of its unlearned, learned, unlearned … stretches; the first may be 0."""
    runs = tuple(len(list(same)) for _, same in groupby(learned))
    return (0, *runs) if learned and learned[0] else runs
