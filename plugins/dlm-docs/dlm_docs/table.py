"""CSV and TSV: rows with recognised columns become examples; a table without them is not learned."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager

from .examples import KNOWN, Columns, LeftOut, find_columns, section_of
from .readers import Found
from .text import bounded, decode

#: Bytes of a table that are read.
MOST = 256 << 20
_SEPARATORS = (",", ";", "\t", "|")


def table_sections(data: bytes, name: str) -> Iterator[Found]:
    """One section a row.  Raises ValueError for a table whose columns are not recognised."""
    text = decode(bounded(data, MOST))
    separators = ("\t",) if name.lower().endswith(".tsv") else _SEPARATORS
    with _fields_of_any_size():
        header, columns, separator = _header(text, separators)
        left_out = LeftOut("row")
        for line, row in _rows(text, separator):
            if isinstance(row, ValueError):
                left_out.add(line, row)
                continue
            try:
                if len(row) != len(header):
                    raise ValueError(f"it has {len(row)} fields, the header has {len(header)}")
                yield section_of(dict(zip(header, row, strict=True)), columns, name, line)
            except ValueError as error:
                left_out.add(line, error)
    yield from left_out.problems()


def _header(text: str, separators: tuple[str, ...]) -> tuple[list[str], Columns, str]:
    """The first row, what its names mean, and the separator by which they mean something."""
    seen: list[list[str]] = []
    for separator in separators:
        try:
            header = next(filter(any, csv.reader(io.StringIO(text, newline=""), delimiter=separator)), [])
        except csv.Error as error:
            raise ValueError(f"not a table: {error}") from error
        if not header:
            raise ValueError("it is empty")
        if columns := find_columns(header):
            chosen = {columns.ask, columns.reply, columns.more, columns.system} - {""}
            if twice := next((name for name in header if name in chosen and header.count(name) > 1), None):
                raise ValueError(f"two columns are called {twice!r}")
            return header, columns, separator
        seen.append(header)
    shown = ", ".join(repr(name[:40]) for name in max(seen, key=len)[:12])
    raise ValueError(f"no column is recognised among {shown}; name them {KNOWN}")


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str] | ValueError]]:
    """The rows after the header, without blank ones, each with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before, header = 0, True
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield before + 1, ValueError(str(error))
            row, header = [], False
        if any(row) and not header:
            yield before + 1, row
        header = header and not any(row)
        before = reader.line_num


@contextmanager
def _fields_of_any_size() -> Iterator[None]:
    """The csv module refuses fields above a limit that is one for the whole process."""
    before = csv.field_size_limit(MOST)
    try:
        yield
    finally:
        csv.field_size_limit(before)
