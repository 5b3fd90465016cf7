"""Bytes to text: UTF-8 or what a byte order mark says, never a guess."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def marked(data: bytes) -> tuple[str, bytes] | None:
    """The encoding that a byte order mark names, and the bytes after it."""
    return next(((name, data[len(mark) :]) for mark, name in _MARKS if data.startswith(mark)), None)


def decode(data: bytes, encoding: str = "utf-8") -> str:
    """The text.  A byte order mark goes before `encoding`.  Raises ValueError naming the byte that does not fit."""
    name, rest = marked(data) or (encoding, data)
    try:
        return rest.decode(name)
    except UnicodeDecodeError as error:
        shown = "UTF-8" if name == "utf-8" else name
        raise ValueError(f"not {shown}: byte {error.start + len(data) - len(rest)}") from error


def bounded(data: bytes, most: int) -> bytes:
    """The same bytes.  Raises ValueError for more than `most` of them."""
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes, more than the {most} that are read of such a file")
    return data
