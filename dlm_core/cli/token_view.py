"""Draw what `dlm tokens` found: the document by what trains, or rows token by token.

Everything that colour says is said by letters and brackets too.
"""

from __future__ import annotations

import shlex
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

from ..api import Token, TokenPiece
from ..coverage import STATES, Coverage, Marks, SeenRow, mark, rows_of_sources, sum_up
from .streams import is_unicode

_COLORS = {"t": "1;32", "c": "90", "v": "34", "e": "35", "k": "31", "?": "33", "f": "2", "s": "2", "h": "2", "p": "2"}
_SIDE_COLORS = {"trained": "1;32", "validation": "34", "exam": "35"}


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw: with colour or not, in how many columns (0: any number), and with which signs."""

    color: bool
    width: int
    open: str
    close: str
    bar: str
    newline: str

    @classmethod
    def of(cls, stream: IO[str], color: bool) -> Look:
        width = shutil.get_terminal_size().columns if stream.isatty() else 0
        signs = ("⟦", "⟧", "│", "⏎") if is_unicode(stream) else ("[[", "]]", "|", "\\n")
        return cls(color, width, *signs)

    def paint(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self.color and text else text


def document_view(coverage: Coverage, look: Look) -> Iterator[str]:
    """The document with line numbers and the state of every character, then a legend and the sums."""
    marks = mark(coverage)
    wide = len(str(len(coverage.lines)))
    for number, line in enumerate(coverage.lines):
        yield from _line(number, line, marks, wide, look)
    yield ""
    used = {state for states in marks.states for state in states}
    for state, meaning in STATES.items():
        if state in used:
            yield f"{' ' * (wide + 1)}{look.paint(f'{state} {look.bar} {meaning}', _COLORS[state])}"
    if marks.breaks:
        name = " and ".join(f"{look.open}{kind}{look.close}" for kind in sorted(set(marks.breaks.values())))
        yield f"{' ' * (wide + 3)}{look.bar} {name}: where a row is divided or ends for its length"
    yield ""
    yield from _sums(coverage)


def _line(number: int, line: str, marks: Marks, wide: int, look: Look) -> Iterator[str]:
    """A line of the document in as many lines of the screen as it takes; a mixed one has its letters below."""
    states = marks.states[number]
    cells = [(_printable(letter), state) for letter, state in zip(line, states, strict=True)]
    for (at, col), kind in sorted(marks.breaks.items(), reverse=True):
        if at == number:
            cells.insert(col, (f"{look.open}{kind}{look.close}", " "))
    letters = {state for (text, state) in cells if text.strip() and state != " "} or set(states[:1])
    sign = letters.pop() if len(letters) == 1 else ("*" if letters else " ")
    room = max(20, look.width - wide - 5) if look.width else 0
    gutter = f"{number + 1:>{wide}} {sign} {look.bar} "
    for row in _wrapped(cells, room):
        text = "".join(
            look.paint("".join(text for text, _ in group), "1;33" if state == " " else _COLORS[state])
            for state, group in groupby(row, key=lambda cell: cell[1])
        )
        yield (gutter + text).rstrip()
        gutter = f"{' ' * (wide + 2)} {look.bar} "
        if sign == "*" and not look.color:
            yield (gutter + "".join(state * _columns(text) for text, state in row)).rstrip()


def _wrapped(cells: list[tuple[str, str]], room: int) -> Iterator[list[tuple[str, str]]]:
    """The cells in rows of at most `room` columns; in one row without a limit."""
    row: list[tuple[str, str]] = []
    used = 0
    for cell in cells:
        size = _columns(cell[0])
        if room and row and used + size > room:
            yield row
            row, used = [], 0
        row.append(cell)
        used += size
    yield row


def _sums(coverage: Coverage) -> Iterator[str]:
    doc, sums = coverage.checked.doc, sum_up(coverage.rows)
    yield f"rows     {sums['trained']} trained, {sums['validation']} validation, {sums['exam']} only asked"
    left = f", {sums['left_out']:,} left out" if sums["left_out"] else ""
    yield (
        f"tokens   {sums['tokens']:,} read an epoch, {sums['labelled']:,} of them labelled{left}; padding none "
        f"(base {coverage.checked.base.key}, at most {coverage.sequence_len:,} a row)"
    )
    if doc.system_prompt:
        yield "         the system prompt opens every conversation: read, not trained"
    adapters = sorted({name for seen in coverage.rows for name in seen.row.adapters})
    for name in adapters if len(adapters) > 1 else ():
        own = sum_up([seen for seen in coverage.rows if name in seen.row.adapters])
        yield f"adapter  {name}: {own['trained']} rows, {own['tokens']:,} tokens, {own['labelled']:,} labelled"
    for file, rows in rows_of_sources(coverage).items():
        own = sum_up(rows)
        yield (
            f"source   {file} (line {rows[0].row.span.line}): {own['trained']} rows trained, {own['validation']} "
            f"validation, {own['tokens']:,} tokens, {own['labelled']:,} labelled"
        )
    for seen in coverage.rows:
        if seen.tokens.note:
            yield f"note     {_where(seen)}: {seen.tokens.note}"
    yield f"one row  dlm tokens {shlex.quote(f'{doc.path}:{_some_line(coverage)}')}"


def _some_line(coverage: Coverage) -> int:
    return coverage.rows[0].row.span.line if coverage.rows else coverage.body_line


def _where(seen: SeenRow) -> str:
    return f"{seen.row.source} (line {seen.row.line})" if seen.row.source else f"line {seen.row.span.line}"


def rows_view(rows: Sequence[SeenRow], path: Path, line: int | None, ids: bool, look: Look) -> Iterator[str]:
    """Rows token by token: boundaries as bars, labelled stretches in brackets, or one token a line with its id."""
    for number, seen in enumerate(rows, 1):
        if number > 1:
            yield ""
        what = {"trained": f"trained in phase {seen.phase}", "validation": "validation: measured, never trained"}
        about = what.get(seen.side, "exam: only asked, never trained")
        yield look.paint(
            f"row {number} of {len(rows)}  {_where(seen)}  {seen.row.kind}  {about}  "
            f"adapter {', '.join(seen.row.adapters)}  {seen.kept:,} tokens, {seen.labelled:,} labelled",
            "1",
        )
        if seen.tokens.note:
            yield f"note: {seen.tokens.note}"
        for count, piece in enumerate(seen.tokens.pieces, 1):
            if len(seen.tokens.pieces) > 1:
                yield look.paint(f"piece {count} of {len(seen.tokens.pieces)}: {piece.kept:,} tokens", "1")
            yield from _piece_table(piece, seen.side, look) if ids else _piece_text(piece, seen.side, look)
    if not rows:
        where = f"{path}:{line}" if line else str(path)
        yield f"{where}: no row comes from here"
    elif not ids:
        yield ""
        yield f"{look.open}labelled{look.close}  {look.bar} between two tokens  --ids shows their numbers"


def _piece_table(piece: TokenPiece, side: str, look: Look) -> Iterator[str]:
    for index, token in enumerate(piece.tokens):
        if index == piece.kept:
            yield _cut_line(piece)
        labelled = token.labelled and index < piece.kept
        mark = "L" if labelled else "."
        line = f"{index:>6} {mark} {token.id:>7}  {_shown(token.text)!r}"
        yield look.paint(line, _SIDE_COLORS[side] if labelled else "90")


def _piece_text(piece: TokenPiece, side: str, look: Look) -> Iterator[str]:
    parts = [_stretches(piece.tokens[: piece.kept], side, look)]
    if piece.kept < len(piece.tokens):
        parts += [_cut_line(piece), look.paint(_joined(piece.tokens[piece.kept :], look), "31")]
    for part in parts:
        yield from part.split("\n") if part else ()


def _stretches(tokens: Sequence[Token], side: str, look: Look) -> str:
    parts = []
    for labelled, group in groupby(tokens, key=lambda token: token.labelled):
        text = _joined(list(group), look)
        lines = (f"{look.open}{text}{look.close}" if labelled else text).split("\n")
        parts.append("\n".join(look.paint(line, _SIDE_COLORS[side] if labelled else "90") for line in lines))
    return look.bar.join(parts)


def _joined(tokens: Sequence[Token], look: Look) -> str:
    return look.bar.join(_shown(token.text).replace("\n", f"{look.newline}\n") for token in tokens)


def _cut_line(piece: TokenPiece) -> str:
    return f"--- cut here: the {len(piece.tokens) - piece.kept:,} tokens below are left out ---"


def _shown(text: str) -> str:
    return "".join(letter if letter == "\n" else _printable(letter) for letter in text)


def _printable(letter: str) -> str:
    """A character that is safe to print: tabs as blanks, no control or direction-changing characters."""
    if letter == "\t":
        return "    "
    kind = unicodedata.category(letter)
    hidden = kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and letter != "\u200d")
    return "\ufffd" if hidden else letter


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
