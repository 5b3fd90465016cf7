"""Walk over text by searching: lines outside code blocks, line numbers, outer blank lines.

Only searches in C touch the bulk of the text, each once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN = re.compile(r"(`{3,})[^`\n]*$|(~{3,})", re.MULTILINE)
_BLANKS = frozenset(" \t\n")
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


def line_pattern(line: str) -> re.Pattern[str]:
    """A pattern for `outside_code`: the line end before a line that is like `line`, and the line.

    `re` searches fast for what begins with a literal, and tries fast what begins with a character or a set of them.
    """
    return re.compile(rf"\n(?:{line}|```|~~~)", re.MULTILINE)


def outside_code(
    text: str, before: int, end: int, pattern: re.Pattern[str]
) -> Iterator[tuple[int, re.Match[str], bool]]:
    """Lines outside code blocks that are like a `line_pattern`: each one's offset, its match, and False.

    `before` is the offset of the line end before the first line.  A code block that is never closed is told last,
    by its opening line and True.
    """
    after = before
    for found in pattern.finditer(text, before, end):
        at = found.start() + 1
        if at < after:
            continue
        if found.lastindex or text[at] not in "`~":
            yield at, found, False
        elif (after := code_end(text, at, end)) < 0:
            yield at, found, True
            return


def code_end(text: str, at: int, end: int) -> int:
    """The end of the code block that the line at `at` opens: `at` if it opens none, -1 if that is never closed."""
    opening = _OPEN.match(text, at, end)
    return _closed(text, opening[1] or opening[2], opening.end(), end) if opening else at


def _closed(text: str, fence: str, start: int, end: int) -> int:
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
    first = start
    if text[first : first + 1] in _BLANKS:
        found = _BLANK_LINES.match(text, first, end)
        assert found is not None
        first = found.end()
    last = end
    while last > first and text[last - 1] == "\n":
        last -= 1
    if last > first and text[last - 1] in _BLANKS:  # the last line keeps its blanks, unless they are all it has
        written = first + len(text[first:last].rstrip(" \t\n"))
        stop = text.find("\n", written, last)
        last = first if written == first else last if stop < 0 else stop
    return first, last
