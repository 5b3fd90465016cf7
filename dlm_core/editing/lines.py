"""Put changes of the text, as the reader sees it, into the bytes of a document: each in the line ends found there."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..document.text import decode

#: Stands for a document whose path a function of bytes does not know.
PLACE = Path("document")

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Change:
    """Put `text` in the place of start..end: offsets in the text with LF line ends and no byte order mark."""

    start: int
    end: int
    text: str


def plain(data: bytes) -> str:
    """The text that offsets count in.  Raises DocumentError for bytes that are not UTF-8."""
    return decode(data, PLACE)[0]


def lf(text: str) -> str:
    """Text with LF line ends only."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def offset_at(text: str, line: int, col: int = 1) -> int:
    """The offset of a 1-based line and column, at most the text's length."""
    at = 0
    for _ in range(line - 1):
        found = text.find("\n", at)
        if found < 0:
            return len(text)
        at = found + 1
    return min(at + col - 1, len(text))


def line_starts(text: str) -> list[int]:
    """The offset of every line's start, that of line 1 first, and the end of the text."""
    return [0, *(found.end() for found in re.finditer("\n", text)), len(text)]


def apply(data: bytes, changes: Iterable[Change]) -> bytes:
    """The bytes with the changes made, those at one offset in the order given; line ends become those of their place.

    Raises ValueError for changes that overlap.
    """
    raw = data.decode()
    bom = _BOM if raw.startswith(_BOM) else ""
    raw = raw.removeprefix(_BOM)
    text = lf(raw)
    pairs = _pairs(raw)
    pieces, at = [], 0
    for change in sorted(changes, key=lambda change: (change.start, change.end)):
        if change.start < at or change.end < change.start:
            raise ValueError(f"changes overlap at offset {change.start}")
        end_of_line = _line_end(raw, text, pairs, change.start)
        pieces += [raw[_raw(pairs, at) : _raw(pairs, change.start)], lf(change.text).replace("\n", end_of_line)]
        at = change.end
    pieces.append(raw[_raw(pairs, at) :])
    return (bom + _joined(pieces)).encode()


def _pairs(raw: str) -> list[int]:
    """The offsets, counted in the text with LF line ends, of the line ends that are CRLF."""
    found: list[int] = []
    at = raw.find("\r\n")
    while at >= 0:
        found.append(at - len(found))
        at = raw.find("\r\n", at + 2)
    return found


def _raw(pairs: list[int], offset: int) -> int:
    return offset + bisect_left(pairs, offset)


def _line_end(raw: str, text: str, pairs: list[int], at: int) -> str:
    """How lines end at an offset: as the line before does when a line begins there, else as this one does."""
    after = at - 1 if at and text[at - 1] == "\n" else text.find("\n", at)
    found = after if after >= 0 else text.rfind("\n", 0, at)
    return "\n" if found < 0 else raw[_raw(pairs, found) : _raw(pairs, found + 1)]


def _joined(pieces: list[str]) -> str:
    """The pieces in one; a lone CR that would become one line end with an LF behind it becomes CRLF."""
    out: list[str] = []
    for piece in filter(None, pieces):
        if out and out[-1].endswith("\r") and piece.startswith("\n"):
            out.append("\n")
        out.append(piece)
    return "".join(out)
