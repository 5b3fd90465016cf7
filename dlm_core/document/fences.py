"""Cut a body into pieces at its fences.

::type::   ::type#adapter::   ::type key="value" key="value"::   ::type#adapter key="value"::
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..api import Problem, Span
from .scan import LineCounter, first_of, line_start, outside_code

_ATTR = r'[a-z][a-z0-9_]*="[^"\n]*"'
_FENCE = re.compile(
    rf"::([a-z][a-z0-9_]*)(?:#([a-z][a-z0-9_]{{0,31}}))?((?:[ \t]+{_ATTR})+[ \t]*)?::[ \t]*$", re.MULTILINE
)
_ONE_ATTR = re.compile(r'([a-z][a-z0-9_]*)="([^"\n]*)"')


@dataclass(slots=True)
class Piece:
    """A fence and the slice of text below it, or the prose before the first fence."""

    type: str
    adapter: str | None
    attrs: tuple[tuple[str, str], ...]
    span: Span
    start: int
    end: int
    first_line: int
    implicit: bool = False


def cut(text: str, start: int, line: int) -> Iterator[Piece | Problem]:
    """The pieces of the body that begins at offset `start`, which is on line `line`; problems among them."""
    end = len(text)
    lines = LineCounter(text, line, start)
    piece = Piece("prose", None, (), Span(line), start, start, line, implicit=True)
    candidates = first_of(
        lambda position: line_start(text, "::", position, end), lambda position: _indented(text, position, end)
    )
    for at, unclosed in outside_code(text, start, end, candidates):
        if unclosed:
            stop = text.find("\n", at)
            width = (end if stop < 0 else stop) - at
            hint = f"close it with a line of `{text[at] * 3}`, at least as long as the opening one"
            yield Problem(Span(lines.at(at), 1, width), "this code block is never closed", hint, code="DLM0204")
            continue
        found = _FENCE.match(text, at)
        if found is None:
            yield from _lookalike(text, at, lines)
            continue
        piece.end = at
        yield piece
        number = lines.at(at)
        body = min(found.end() + 1, end)
        attrs = tuple(_ONE_ATTR.findall(found[3])) if found[3] else ()
        span = Span(number, 1, len(found[0].rstrip()))
        piece = Piece(found[1], found[2], attrs, span, body, body, number + 1)
    piece.end = end
    yield piece


def _indented(text: str, position: int, end: int) -> int:
    """The next line from a position on that would be a fence without the one to three blanks before it."""
    at = text.find("::\n", position, end)
    while at >= 0:
        begin = text.rfind("\n", 0, at) + 1
        fence = text.find("::", begin, begin + 5)
        if begin >= position and begin < fence < at and text[begin:fence].isspace() and _FENCE.match(text, fence):
            return begin
        at = text.find("::\n", at + 3, end)
    return end


def _lookalike(text: str, at: int, lines: LineCounter) -> Iterator[Problem]:
    stop = text.find("\n", at)
    line = text[at : len(text) if stop < 0 else stop].strip(" \t")
    if len(line) < 5 or not line.endswith("::"):
        return
    hint = 'a fence is `::type::`, `::type#adapter::` or `::type key="value"::`, in small letters'
    meant = _meant(line)
    if meant:
        hint = f"write `{meant}`"
    message = "this line looks like a section fence but is read as text"
    yield Problem(Span(lines.at(at), 1, len(line)), message, hint, "warning", "DLM0203")


def _meant(line: str) -> str | None:
    """The fence that a lookalike becomes by repairing blanks, quotes and capital letters, if it does."""
    name, _, rest = line.strip(":").strip().partition(" ")
    repaired = f"::{name.lower()}{' ' + rest.strip() if rest.strip() else ''}::".replace("'", '"')
    return repaired if _FENCE.fullmatch(repaired) else None
