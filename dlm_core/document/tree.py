"""The frontmatter between text and schema: plain values, and the place of every key and value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from math import isfinite
from typing import Any, Literal, NamedTuple

from ..api import Problem, Span

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_NODES = 20_000

Loc = tuple[str | int, ...]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_OR_BREAK = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


class Place(NamedTuple):
    """Where a key and its value stand; `written` is the key's old name when an upgrade moved it."""

    key: Span
    value: Span
    written: str = ""


@dataclass(slots=True)
class Tree:
    """`data` is None when the text could not be read; `problems` then says why."""

    data: dict[str, Any] | None = None
    syntax: Literal["yaml", "toml"] = "yaml"
    places: dict[Loc, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def move(self, old: Loc, new: Loc) -> None:
        """Move a value and the places of everything in it.  The new parent is made if need be."""
        for depth in range(1, len(new)):
            if new[depth - 1] not in self._parent(new[:depth]):
                self._parent(new[:depth])[new[depth - 1]] = {}
                self.places[new[:depth]] = self.places[old]._replace(written=dotted(old[:-1]))
        self._parent(new)[new[-1]] = self._parent(old).pop(old[-1])
        for loc in [loc for loc in self.places if loc[: len(old)] == old]:
            place = self.places.pop(loc)
            self.places[(*new, *loc[len(old) :])] = place._replace(written=place.written or dotted(loc))

    def _parent(self, loc: Loc) -> Any:
        """The block or list that holds the value at a location."""
        node: Any = self.data
        for part in loc[:-1]:
            node = node[part]
        return node


def dotted(loc: Loc) -> str:
    return ".".join(map(str, loc))


def text_problems(text: str, first_line: int) -> Iterator[Problem]:
    """What makes the frontmatter's text unfit to be parsed at all: its size and invisible characters."""
    if len(text.encode()) > MAX_BYTES:
        yield Problem(
            Span(1, 1, 3),
            f"the frontmatter has more than {MAX_BYTES:,} bytes",
            "text to learn belongs in the body, under the frontmatter",
            code="DLM0109",
        )
        return
    for found in islice(_CONTROL_OR_BREAK.finditer(text), 20):
        start = text.rfind("\n", 0, found.start()) + 1
        span = Span(first_line + text.count("\n", 0, start), found.start() - start + 1)
        yield Problem(
            span,
            f"control character U+{ord(found[0]):04X} in the frontmatter",
            "remove it, or write it as an escape in a double-quoted string",
            code="DLM0110",
        )


_ALWAYS_FINE = frozenset({int, bool, type(None)})


def value_problems(tree: Tree) -> Iterator[Problem]:
    """Values that YAML and TOML allow and no key of a document can take."""
    yield from (problem for _, problem in wrong_values(tree))


def wrong_values(tree: Tree) -> Iterator[tuple[Loc, Problem]]:
    """The same with their locations."""
    todo: list[tuple[Loc, Any]] = [((), tree.data)]
    while todo:
        loc, block = todo.pop()
        if len(loc) > MAX_DEPTH:
            yield (
                loc,
                Problem(_place(tree, loc).key, f"`{dotted(loc)}` is nested deeper than {MAX_DEPTH}", code="DLM0109"),
            )
            continue
        for key, value in block.items() if isinstance(block, dict) else enumerate(block):
            if type(value) in _ALWAYS_FINE or (type(value) is str and value.isprintable()):
                continue
            if isinstance(value, dict | list):
                todo.append(((*loc, key), value))
            elif fault := _fault(value):
                what, hint, code = fault
                inner = (*loc, key)
                yield inner, Problem(_place(tree, inner).value, f"`{dotted(inner)}` {what}", hint, code=code)


def _fault(value: Any) -> tuple[str, str | None, str] | None:
    """What is wrong with a single value, what to do about it, and the code."""
    if isinstance(value, str) and (found := _CONTROL.search(value)):
        return f"holds the control character U+{ord(found[0]):04X}", None, "DLM0110"
    if isinstance(value, float) and not isfinite(value):
        return f"is {value}; allowed: a finite number", None, "DLM0104"
    if isinstance(value, datetime | date | time):
        return "is a date or time", "put it in quotes to make it text", "DLM0104"
    return None


def _place(tree: Tree, loc: Loc) -> Place:
    return tree.places.get(loc, Place(Span(1), Span(1)))
