"""Walk over text by searching: lines outside code blocks, line numbers, outer blank lines.

Only `str.find` and `str.count` touch the bulk of the text, so a scan runs at memory speed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_OPEN = re.compile(r"(`{3,})[^`\n]*$|(~{3,})", re.MULTILINE)
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)*")


@dataclass(slots=True)
class LineCounter:
    """Line numbers of rising offsets, each found by counting from the one before."""

    text: str
    line: int
    offset: int

    def at(self, offset: int) -> int:
        self.line += self.text.count("\n", self.offset, offset)
        self.offset = offset
        return self.line


def line_start(text: str, prefix: str, start: int, end: int) -> int:
    """The first offset in start..end where a line starts with `prefix`; `end` when there is none.

    The text's own beginning starts a line.
    """
    if start == 0 and text.startswith(prefix):
        return 0
    found = text.find("\n" + prefix, max(start - 1, 0), end)
    return end if found < 0 else found + 1


def first_of(*finds: Callable[[int], int]) -> Callable[[int], int]:
    """The nearest of what several searches find; each searches on only when its last find lies behind."""
    found = [-1] * len(finds)

    def find(position: int) -> int:
        for index, search in enumerate(finds):
            if found[index] < position:
                found[index] = search(position)
        return min(found)

    return find


def outside_code(text: str, start: int, end: int, find: Callable[[int], int]) -> Iterator[tuple[int, bool]]:
    """Offsets that `find` gives for lines outside code blocks, each with False.

    `find(position)` is the first interesting line start at or after a position, or `end`.  A code block that is
    never closed is told last, by its opening offset and True.
    """
    fences = ("```", "~~~")
    wanted = find(start)
    opening = {fence: line_start(text, fence, start, end) for fence in fences}
    while True:
        fence = "```" if opening["```"] <= opening["~~~"] else "~~~"
        at = opening[fence]
        while wanted < min(at, end):
            yield wanted, False
            wanted = find(wanted + 1)
        if at >= end:
            return
        after = at + len(fence)
        if found := _OPEN.match(text, at, end):
            after = _code_end(text, found[0] if found[2] else found[1], found.end(), end)
            if after < 0:
                yield at, True
                return
        if wanted < after:
            wanted = find(after)
        for mark in fences:
            if opening[mark] < after:
                opening[mark] = line_start(text, mark, after, end)


def _code_end(text: str, fence: str, start: int, end: int) -> int:
    """The end of the line that closes a code block opened by `fence`, or -1."""
    at = text.find(fence, start, end)
    while at >= 0:
        begin = text.rfind("\n", start, at) + 1
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        if (
            begin
            and at - begin <= 3
            and not text[begin:at].strip(" ")
            and not text[at:stop].strip(" \t").strip(fence[0])
        ):
            return stop
        at = text.find(fence, stop, end)
    return -1


def inner_lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The part of start..end without outer blank lines.  `start` must begin a line."""
    found = _BLANK_LINES.match(text, start, end)
    assert found is not None
    first = found.end()
    last = first + len(text[first:end].rstrip(" \t\n"))
    if last == first:
        return first, first
    stop = text.find("\n", last, end)
    return first, end if stop < 0 else stop
