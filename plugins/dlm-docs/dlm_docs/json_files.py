"""JSON lines and JSON lists: objects with recognised names become examples."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from dlm_core.api import Problem

from .conversation import load
from .examples import KNOWN, Columns, EmptyError, LeftOut, find_columns, section_of
from .readers import Found, prose
from .text import bounded, decode, marked

#: Bytes of a file that are read: of lines, and of a value that is read at once.
MOST_LINES, MOST_VALUE = 1 << 30, 64 << 20

_TALK = Columns("talk", "messages")
_BLANK = re.compile(r"[ \t\r\n]*")


def lines_sections(data: bytes, name: str) -> Iterator[Found]:
    """One section a line.  Raises ValueError for a file without a single example."""
    left_out, given = LeftOut("line"), 0
    data = bounded(data, MOST_LINES)
    if marked(data):
        data = decode(data).encode()
    # Lines of bytes end at LF alone: JSON may hold other line ends, such as U+2028, as they are.
    for number, line in enumerate(io.BytesIO(data), 1):
        if not line.strip():
            continue
        try:
            yield _section(_loaded(decode(line.rstrip())), name, number)
            given += 1
        except ValueError as error:
            left_out.add(number, error)
    yield from _told(left_out, given)


def list_sections(data: bytes, name: str) -> Iterator[Found]:
    """One section an object of the list; JSON that is no list of examples is text as it stands."""
    text = decode(bounded(data, MOST_VALUE))
    objects = _objects(text)
    if objects is None:
        if "\0" in text:
            raise ValueError("not text: it holds a NUL byte")
        if whole := text.replace("\r\n", "\n").replace("\r", "\n").strip("\n"):
            yield prose(name, whole)
        return
    left_out, given = LeftOut("object"), 0
    for number, (line, found) in enumerate(objects, 1):
        try:
            yield _section(found, name, line)
            given += 1
        except ValueError as error:
            left_out.add(line, _numbered(error, number))
    yield from _told(left_out, given)


def _told(left_out: LeftOut, given: int) -> Iterator[Problem]:
    problems = list(left_out.problems())
    if problems and not given:
        raise ValueError(f"no example in it can be read; line {problems[0].span.line}: {problems[0].message}")
    yield from problems


def _numbered(error: ValueError, number: int) -> ValueError:
    return error if isinstance(error, EmptyError) else ValueError(f"number {number}: {error}")


def _objects(text: str) -> list[tuple[int, Any]] | None:
    """The values of a list that begins with an example, each with its line, or the one object with a conversation.

    None for any other JSON.  Raises ValueError for examples in broken JSON.
    """
    start = _skip(text, 0)
    if text.startswith("{", start):
        try:
            value = load(text)
        except ValueError:
            return None
        columns = find_columns(value)
        return [(1, value)] if columns and columns.kind == "talk" else None
    return _list(text, start + 1) if text.startswith("[", start) else None


def _list(text: str, at: int) -> list[tuple[int, Any]] | None:
    found: list[tuple[int, Any]] = []
    line, counted, decoder = 1, 0, json.JSONDecoder()
    while True:
        at = _skip(text, at)
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError:
            raise ValueError("nested too deep") from None
        except ValueError as error:
            if not found:
                return None
            raise ValueError(f"broken JSON in what begins on line {line}: {error}") from error
        if not found and not (isinstance(value, dict) and find_columns(value)):
            return None
        found.append((line, value))
        at = _skip(text, at)
        if text.startswith(",", at):
            at += 1
        elif text.startswith("]", at) and _skip(text, at + 1) == len(text):
            return found
        else:
            raise ValueError(f"broken JSON after what begins on line {line}: a comma or the end of the list is missing")


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _loaded(line: str) -> Any:
    try:
        return load(line)
    except ValueError as error:
        raise ValueError(str(error).replace("line 1 column", "column")) from None


def _section(value: Any, name: str, line: int) -> Found:
    if not isinstance(value, dict):
        if isinstance(value, list):
            return section_of({"messages": value}, _TALK, name, line)
        raise ValueError(f"it is no object but a value of type {type(value).__name__}")
    columns = find_columns(value)
    if columns is None:
        shown = ", ".join(repr(str(key)[:40]) for key in list(value)[:12]) or "nothing"
        raise ValueError(f"no name is recognised among {shown}; name them {KNOWN}")
    return section_of(value, columns, name, line)
