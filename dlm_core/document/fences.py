"""Cut a body into pieces at its fences.

::type::   ::type#adapter::   ::type key="value" key="value"::   ::type#adapter key="value"::
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..api import Fix, Problem, Section, Span
from .make import make_section, make_span
from .scan import code_end

_ATTR = r'[a-z][a-z0-9_]*="[^"\n]*"'
_FENCE = re.compile(rf"::([a-z][a-z0-9_]*)(?:#([a-z][a-z0-9_]{{0,31}}))?((?:[ \t]+{_ATTR})+[ \t]*)?::[ \t]*")
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))
_IN_LINE = _BLANKS.replace("\n", "")
#: A line that opens like a fence, like a code block, or like a fence with blanks before it.  Nearly every line is
#: refused by its first character.
_CANDIDATE = re.compile(rf"\n[:`~{_IN_LINE}](?:[:`~]|[{_IN_LINE}]{{0,2}}::)[^\n]*")
#: What stands between the colons of a fence that is written loosely.
_LOOSE_ATTR = r"""([A-Za-z][A-Za-z0-9_]*)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^"'\n]*)')"""
_LOOSE_PAIR = re.compile(_LOOSE_ATTR)
_LOOSE = re.compile(rf"([A-Za-z]\w*)(?:[ \t]*#[ \t]*(\w+))?((?:[ \t]+{_LOOSE_ATTR})*)", re.ASCII)
_ONE_ATTR = re.compile(r'([a-z][a-z0-9_]*)="([^"\n]*)"')


#: A content that begins with one of these may have blank lines or markers before it.
_UNCLEAR = frozenset("<" + _BLANKS)


class Fence(NamedTuple):
    """What a fence says, and how wide it is without the blanks behind it."""

    type: str
    adapter: str | None
    attrs: tuple[tuple[str, str], ...]
    width: int


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
    third less time than a look at each.  It is one loop for the same reason: each call costs a long document percents.
    """
    end = len(text)
    fences: dict[str, Fence | None] = {}  # what each such line is: most fences of a document are alike
    counted = body = start
    code = 0  # the end of the last code block
    kind, adapter = "prose", None
    attrs: tuple[tuple[str, str], ...] = ()
    span, first_line, implicit = Span(line), line, True
    for found in _CANDIDATE.finditer(text, start - 1):
        before, stop = found.span()
        if before < code:
            continue
        written, at = found[0], before + 1
        if written[1] in "`~":
            code = code_end(text, at, end)
            if code < 0:
                yield _unclosed(text, at, line + text.count("\n", counted, at))
                break
            continue
        line += text.count("\n", counted, at)
        counted = at
        if written in fences:
            fence = fences[written]
        else:
            fence = fences[written] = read_fence(written[1:])
        if fence is None:
            yield from _lookalike(text, at, line)
            continue
        content = text[body:at].rstrip("\n") if kind in plain and not attrs and not implicit else ""
        if content and content[0] not in _UNCLEAR and not content[-1].isspace():
            yield make_section(kind, content, span, adapter, first_line)
        else:
            yield Piece(kind, adapter, attrs, span, body, at, first_line, implicit)
        kind, adapter, attrs, width = fence
        span, body, first_line, implicit = make_span(line, 1, width), stop + 1, line + 1, False
    yield Piece(kind, adapter, attrs, span, min(body, end), end, first_line, implicit)


def read_fence(line: str) -> Fence | None:
    """What a line says as a fence, None if it is none."""
    found = _FENCE.fullmatch(line)
    if found is None:
        return None
    kind, adapter, attrs = found.groups()
    return Fence(kind, adapter, tuple(_ONE_ATTR.findall(attrs)) if attrs else (), len(line.rstrip(" \t")))


def _unclosed(text: str, at: int, line: int) -> Problem:
    width = len(text[at:].partition("\n")[0])
    hint = f"close it with a line of `{text[at] * 3}`, at least as long as the opening one"
    return Problem(Span(line, 1, width), "this code block is never closed", hint, code="DLM0204")


def _lookalike(text: str, at: int, number: int) -> Iterator[Problem]:
    stop = text.find("\n", at)
    written = text[at : len(text) if stop < 0 else stop]
    line = written.strip(" \t")
    if len(line) < 5 or not line.endswith("::") or not written.lstrip().startswith("::"):
        return
    if written[0] != ":" and not read_fence(written.lstrip()):
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
    return repaired if read_fence(repaired) else None


def fence_type(fence: str) -> str:
    """The section type of a fence as `_meant` gives it."""
    found = read_fence(fence)
    return found.type if found else ""
