"""What of a document trains: every row token by token, and every character of the text by what becomes of it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .api import Row, RowTokens, Section, Token
from .api.jobs import LongRows
from .checking import Checked, check
from .document.settings import training_settings
from .document.text import decode, divide
from .exam.result import Side
from .planning.bases import find_engine
from .plugins import Plugins
from .sources.allowed import NOTHING, Allowed

#: What becomes of a character, the strongest first: one that is trained in one row and seen in another is trained.
STATES: Mapping[str, str] = {
    "t": "trained: the loss is taken on it",
    "c": "context: read, not trained",
    "v": "validation: measured, never trained",
    "e": "exam: only asked, never trained",
    "k": "left out: longer than the sequence length",
    "?": "in a row, in another form than it stands here",
    "f": "frontmatter, not read by the model",
    "s": "section fence",
    "h": "header, or a line outside every row",
    "p": "provenance comment",
}
_STRENGTH = {state: index for index, state in enumerate(STATES)}


@dataclass(frozen=True, slots=True)
class SeenRow:
    """A row as its phase reads it; `phase` is None for a row that is only asked."""

    row: Row
    side: Side
    phase: str | None
    tokens: RowTokens

    @property
    def kept(self) -> int:
        """Tokens that are read."""
        return sum(piece.kept for piece in self.tokens.pieces)

    @property
    def labelled(self) -> int:
        """Tokens among them that the loss is taken on."""
        return sum(token.labelled for piece in self.tokens.pieces for token in piece.tokens[: piece.kept])


@dataclass(frozen=True, slots=True)
class SectionLines:
    """A section of the document itself with the lines it takes, up to the one before the next section."""

    section: Section
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """A document, its rows in the order of their lines, and its sections."""

    checked: Checked
    rows: tuple[SeenRow, ...]
    lines: tuple[str, ...]
    body_line: int
    sequence_len: int

    @property
    def sections(self) -> list[SectionLines]:
        own = sorted((one for one in self.checked.doc.sections if not one.source), key=lambda one: one.span)
        ends = [section.span.line - 1 for section in own[1:]] + [len(self.lines)]
        return [SectionLines(one, one.span.line, end) for one, end in zip(own, ends[: len(own)], strict=True)]

    def rows_within(self, first: int, last: int) -> list[SeenRow]:
        """The rows whose place is on these lines; those of sources are at the line that names the source."""
        return [seen for seen in self.rows if first <= seen.row.span.line <= last]


@dataclass(slots=True)
class Marks:
    """The state of each character by line, counted from 0, and what happens between characters: `split` or `cut`."""

    states: list[list[str]]
    breaks: dict[tuple[int, int], Literal["split", "cut"]] = field(default_factory=dict)

    def set(self, line: int, col: int, state: str) -> None:
        if _STRENGTH[state] < _STRENGTH[self.states[line][col]]:
            self.states[line][col] = state


def look(path: Path, plugins: Plugins, long_rows: LongRows, allowed: Allowed = NOTHING) -> Coverage:
    """Check the document and let its base's engine show every row.  Raises DlmError; fetches nothing, no torch."""
    checked = check(path, plugins, allowed=allowed)
    doc, limit = checked.doc, training_settings(checked.doc).sequence_len
    engine = find_engine(checked.base, plugins)
    base = engine.locate(checked.base, fetch=False)
    seen: list[SeenRow] = []

    def show(rows: Sequence[Row], side: Side, phase: str | None, most: int, what: LongRows) -> None:
        found = engine.tokens(base, rows, doc.system_prompt, most, what)
        seen.extend(SeenRow(row, side, phase, tokens) for row, tokens in zip(rows, found, strict=True))

    for trainer, train, validation in checked.assigned:
        show(train, "trained", trainer.phase, limit, long_rows)
        show(validation, "validation", trainer.phase, limit, long_rows)
    show(checked.exam_only, "exam", None, base.shape.context, "cut")
    seen.sort(key=lambda one: (one.row.source, one.row.span, one.row.source_line, one.row.index))
    text, _ = decode(path.read_bytes(), path)
    parts = divide(text)
    body_line = getattr(parts, "body_line", 1)
    return Coverage(checked, tuple(seen), tuple(text.removesuffix("\n").split("\n")), body_line, limit)


def mark(coverage: Coverage) -> Marks:
    """The state of every character of the document itself."""
    lines = coverage.lines
    marks = Marks([["f" if number < coverage.body_line else "h"] * len(line) for number, line in enumerate(lines, 1)])
    for here in coverage.sections:
        section = here.section
        if lines[section.span.line - 1].startswith("::") and section.content_line > section.span.line:
            marks.states[section.span.line - 1] = ["s"] * len(lines[section.span.line - 1])
        for marker in section.markers:
            marks.states[marker.span.line - 1] = ["p"] * len(lines[marker.span.line - 1])
        rows = [seen for seen in coverage.rows_within(here.first, here.last) if not seen.row.source]
        ends = [seen.row.span.line - 1 for seen in rows[1:]] + [here.last]
        starts = _line_starts(section)
        for seen, end in zip(rows, ends, strict=True):
            _mark_row(marks, section, starts, seen, end)
    return marks


def _mark_row(marks: Marks, section: Section, starts: list[int], seen: SeenRow, end: int) -> None:
    places = _text_places(section, starts, seen.row)
    shown = False
    reached: dict[int, int] = {}
    for piece_number, piece in enumerate(seen.tokens.pieces):
        for index, token in enumerate(piece.tokens):
            if token.place is None or (start := places.get(token.place[0])) is None:
                continue
            number, first, last = token.place
            shown = True
            if index == piece.kept:
                marks.breaks[_line_col(section, starts, start + first)] = "cut"
            elif piece_number and seen.row.kind == "text" and reached.get(number) == first:
                marks.breaks.setdefault(_line_col(section, starts, start + first), "split")
            state = _state(seen.side, token, index < piece.kept)
            for offset in range(start + first, start + last):
                if section.content[offset] != "\n":
                    marks.set(*_line_col(section, starts, offset), state)
        for token in piece.tokens:
            if token.place is not None:
                reached[token.place[0]] = max(reached.get(token.place[0], 0), token.place[2])
    if not shown:
        for line in range(max(seen.row.span.line, section.content_line) - 1, min(end, len(marks.states))):
            marks.states[line] = ["?"] * len(marks.states[line])


def _state(side: Side, token: Token, is_kept: bool) -> str:
    if not is_kept:
        return "k"
    if side != "trained":
        return "v" if side == "validation" else "e"
    return "t" if token.labelled else "c"


def _line_starts(section: Section) -> list[int]:
    """The offset of each line of the section's content."""
    return [0, *(found.end() for found in re.finditer("\n", section.content))]


def _line_col(section: Section, starts: list[int], offset: int) -> tuple[int, int]:
    """Line and column in the file, counted from 0, of a character of the section's content."""
    line = bisect_right(starts, offset) - 1
    return section.content_line - 1 + line, offset - starts[line]


def _text_places(section: Section, starts: Sequence[int], row: Row) -> dict[int, int]:
    """Where the row's texts begin in the section's content, by number; a text that is not there word for word is not.

    Texts stand in whole lines, one after the other, from the row's own line on.
    """
    line = min(max(0, row.span.line - section.content_line), len(starts) - 1)
    at = starts[line]
    found: dict[int, int] = {}
    for number, text in enumerate(row_texts(row)):
        start = _find_lines(section.content, text, at) if text else -1
        if start >= 0:
            found[number], at = start, start + len(text)
    return found


def _find_lines(content: str, text: str, at: int) -> int:
    """The first place from `at` on where a text fills whole lines, or else where it stands at all; -1 without one."""
    first = start = content.find(text, at)
    while start >= 0:
        end = start + len(text)
        if content[start - 1 : start] in ("", "\n") and content[end : end + 1] in ("", "\n"):
            return start
        start = content.find(text, start + 1)
    return first


def row_texts(row: Row) -> Iterator[str]:
    """The texts a row's tokens come from: a chat's messages, a prompt with its two answers, or the one text."""
    if row.messages:
        yield from (message.text for message in row.messages)
    elif row.choices:
        yield from (row.data[name] for name in ("prompt", "chosen", "rejected"))
    elif isinstance(text := row.data.get("text"), str):
        yield text


def rows_of_sources(coverage: Coverage) -> dict[str, list[SeenRow]]:
    """The rows that come from files beside the document, by file."""
    found: dict[str, list[SeenRow]] = {}
    for seen in coverage.rows:
        if seen.row.source:
            found.setdefault(seen.row.source, []).append(seen)
    return found


def sum_up(rows: Sequence[SeenRow]) -> dict[str, int]:
    """Rows by side, and the tokens of one epoch; nothing is padded but rows that share a batch."""
    trained = [seen for seen in rows if seen.side == "trained"]
    return {
        "trained": len(trained),
        "validation": sum(seen.side == "validation" for seen in rows),
        "exam": sum(seen.side == "exam" for seen in rows),
        "tokens": sum(seen.kept for seen in trained),
        "labelled": sum(seen.labelled for seen in trained),
        "left_out": sum(len(piece.tokens) - piece.kept for seen in trained for piece in seen.tokens.pieces),
    }
