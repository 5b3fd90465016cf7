"""Cut a body into pieces at its fences.

::type::   ::type#adapter::   ::type key="value" key="value"::   ::type#adapter key="value"::
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..api import Fix, Problem, Section, Span
from .make import make_section, make_span, section_id
from .scan import line_pattern, outside_code

_ATTR = r'[a-z][a-z0-9_]*="[^"\n]*"'
_AFTER_COLONS = rf"([a-z][a-z0-9_]*)(?:#([a-z][a-z0-9_]{{0,31}}))?((?:[ \t]+{_ATTR})+[ \t]*)?::[ \t]*$"
_FENCE = re.compile(rf"::{_AFTER_COLONS}")
#: A fence, or a line that somebody may have meant as one.
_LINE = line_pattern(rf"::(?:{_AFTER_COLONS})?|[^\S\n][^\S\n]{{0,2}}::")
#: What stands between the colons of a fence that is written loosely.
_LOOSE_ATTR = r"""([A-Za-z][A-Za-z0-9_]*)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^"'\n]*)')"""
_LOOSE_PAIR = re.compile(_LOOSE_ATTR)
_LOOSE = re.compile(rf"([A-Za-z]\w*)(?:[ \t]*#[ \t]*(\w+))?((?:[ \t]+{_LOOSE_ATTR})*)", re.ASCII)
_ONE_ATTR = re.compile(r'([a-z][a-z0-9_]*)="([^"\n]*)"')


#: A content that begins with one of these may have blank lines or markers before it.
_UNCLEAR = frozenset("<" + "".join(filter(str.isspace, map(chr, range(0x3001)))))


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


def cut(text: str, start: int, line: int, plain: Collection[str] = ()) -> Iterator[Piece | Section | Problem]:
    """The pieces of the body that begins at offset `start`, which is on line `line`; problems among them.

    A piece of a `plain` type that leaves nothing to remark is a section at once: so are nearly all, and it takes a
    third less time than a look at each.
    """
    end = len(text)
    counted = body = start
    kind, adapter, pairs = "prose", None, ()
    span, first_line, implicit = Span(line), line, True
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
        content = text[body:at].rstrip("\n") if kind in plain and not pairs and not implicit else ""
        if content and content[0] not in _UNCLEAR and not content[-1].isspace():
            yield make_section(kind, content, span, section_id(kind, content), adapter, first_line)
        else:
            yield Piece(kind, adapter, pairs, span, body, at, first_line, implicit)
        kind, adapter, attrs = groups
        pairs = tuple(_ONE_ATTR.findall(attrs)) if attrs else ()
        stop = found.end()
        width = stop - at if text[stop - 1] == ":" else len(text[at:stop].rstrip())
        span, body, first_line, implicit = make_span(line, 1, width), stop + 1, line + 1, False
    yield Piece(kind, adapter, pairs, span, min(body, end), end, first_line, implicit)


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
    fix = None
    if meant := _meant(line):
        hint = f"write `{meant}`"
        fix = Fix(Span(number, 1, len(written)), meant)
    message = "this line looks like a section fence but is read as text"
    span = Span(number, 1, len(written.rstrip()))
    yield Problem(span, message, hint, "warning", "DLM0203", fix=fix)


def _meant(line: str) -> str | None:
    """The fence that a lookalike becomes by repairing blanks, quotes and capital letters, if it does."""
    inner = _LOOSE.fullmatch(line.strip(":").strip())
    if inner is None:
        return None
    adapter = f"#{inner[2].lower()}" if inner[2] else ""
    pairs = "".join(f' {name.lower()}="{one or other}"' for name, one, other in _LOOSE_PAIR.findall(inner[3]))
    repaired = f"::{inner[1].lower()}{adapter}{pairs}::"
    return repaired if _FENCE.fullmatch(repaired) else None


def fence_type(fence: str) -> str:
    """The section type of a fence as `_meant` gives it."""
    found = _FENCE.fullmatch(fence)
    return found[1] if found else ""
