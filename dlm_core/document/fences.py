"""Cut a body into pieces at its fences.

::type::   ::type#adapter::   ::type key="value" key="value"::   ::type#adapter key="value"::
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..api import Problem, Span
from .make import make_span
from .scan import line_pattern, outside_code

_ATTR = r'[a-z][a-z0-9_]*="[^"\n]*"'
_AFTER_COLONS = rf"([a-z][a-z0-9_]*)(?:#([a-z][a-z0-9_]{{0,31}}))?((?:[ \t]+{_ATTR})+[ \t]*)?::[ \t]*$"
_FENCE = re.compile(rf"::{_AFTER_COLONS}")
#: A fence, or a line that somebody may have meant as one.
_LINE = line_pattern(rf"::(?:{_AFTER_COLONS})?|[^\S\n][^\S\n]{{0,2}}::")
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
    counted = body = start
    kind, adapter, attrs = "prose", None, None
    span, implicit = Span(line), True
    for at, found, unclosed in outside_code(text, start - 1, end, _LINE):
        line += text.count("\n", counted, at)
        counted = at
        if unclosed:
            yield _unclosed(text, at, line)
            continue
        groups = found.groups()
        if groups[0] is None:
            yield from _lookalike(text, at, line)
            continue
        yield Piece(kind, adapter, _pairs(attrs), span, body, at, span.line + (not implicit), implicit)
        kind, adapter, attrs = groups
        stop = found.end()
        width = stop - at if text[stop - 1] == ":" else len(text[at:stop].rstrip())
        span, body, implicit = make_span(line, 1, width), min(stop + 1, end), False
    yield Piece(kind, adapter, _pairs(attrs), span, body, end, span.line + (not implicit), implicit)


def _pairs(attrs: str | None) -> tuple[tuple[str, str], ...]:
    return tuple(_ONE_ATTR.findall(attrs)) if attrs else ()


def _unclosed(text: str, at: int, line: int) -> Problem:
    width = len(text[at:].partition("\n")[0])
    hint = f"close it with a line of `{text[at] * 3}`, at least as long as the opening one"
    return Problem(Span(line, 1, width), "this code block is never closed", hint, code="DLM0204")


def _lookalike(text: str, at: int, number: int) -> Iterator[Problem]:
    stop = text.find("\n", at)
    written = text[at : len(text) if stop < 0 else stop]
    line = written.strip(" \t")
    if len(line) < 5 or not line.endswith("::"):
        return
    if written[0] != ":" and not _FENCE.match(written.lstrip()):
        return  # farther from a fence, and indented: meant as text
    hint = 'a fence is `::type::`, `::type#adapter::` or `::type key="value"::`, in small letters'
    meant = _meant(line)
    if meant:
        hint = f"write `{meant}`"
    message = "this line looks like a section fence but is read as text"
    yield Problem(Span(number, 1, len(line)), message, hint, "warning", "DLM0203")


def _meant(line: str) -> str | None:
    """The fence that a lookalike becomes by repairing blanks, quotes and capital letters, if it does."""
    name, _, rest = line.strip(":").strip().partition(" ")
    repaired = f"::{name.lower()}{' ' + rest.strip() if rest.strip() else ''}::".replace("'", '"')
    return repaired if _FENCE.fullmatch(repaired) else None
