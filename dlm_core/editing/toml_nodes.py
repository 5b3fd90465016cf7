"""A TOML frontmatter as headers and pairs that know where they begin and end in the text."""

from __future__ import annotations

from dataclasses import dataclass

from ..api import Span
from ..document.toml_text import Places
from ..document.tree import Loc, Tree


@dataclass(frozen=True, slots=True)
class Header:
    """A line `[table]` or `[[table]]`; an item of an array of tables has its index in its location."""

    loc: Loc
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A key with its value, or an item of a list, whose `start` is that of the value.

    `table` is the location of the header above it or of the inline table or list around it.
    """

    table: Loc
    loc: Loc
    start: int
    value: int
    end: int
    inline: bool


class Nodes(Places):
    """The headers, pairs and written keys of a text that is valid TOML."""

    def __init__(self, text: str) -> None:
        super().__init__(text, 1, Tree())
        self.headers: list[Header] = []
        self.pairs: list[Pair] = []
        self.keys: list[tuple[Loc, int, int]] = []  # wherever a part of a key is written
        self._depth = 0
        self.scan()

    def _header(self) -> Loc:
        start = self.at
        loc = super()._header()
        self.headers.append(Header(loc, start, self.at))
        return loc

    def _pair(self, table: Loc) -> None:
        start, before = self.at, len(self.pairs)
        super()._pair(table)
        made = self.pairs.pop()  # the value was noted last, with no key
        self.pairs.insert(before, Pair(table, made.loc, start, made.value, made.end, made.inline))

    def _value(self, loc: Loc) -> None:
        start = self.at
        self._depth += 1
        super()._value(loc)
        self._depth -= 1
        self.pairs.append(Pair(loc[:-1], loc, start, start, self.at, self._depth > 0))

    def _note(self, loc: Loc, key: tuple[int, int], value: Span) -> None:
        self.keys.append((loc, *key))
        super()._note(loc, key, value)
