"""Jupyter notebooks of format 3 and 4: text as it stands, code in fences, outputs left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .conversation import load
from .text import bounded, decode

#: Bytes of a notebook that are read; most of them are pictures among its outputs.
MOST = 64 << 20


def notebook_text(data: bytes) -> str:
    """The cells in their order.  Raises ValueError for what is no notebook, or one of another format."""
    book = load(decode(bounded(data, MOST)))
    if not isinstance(book, dict):
        raise ValueError("no notebook: its JSON is no object")
    language = _language(book)
    return "\n\n".join(text for cell in _cells(book) if (text := _cell(cell, language)))


def _cells(book: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if isinstance(book.get("cells"), list):
        groups = [book]
    elif isinstance(book.get("worksheets"), list):
        groups = [sheet for sheet in book["worksheets"] if isinstance(sheet, dict)]
    else:
        raise ValueError("no notebook: it has no cells")
    for group in groups:
        cells = group.get("cells", [])
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise ValueError("no notebook: its cells are no list of objects")
        yield from cells


def _cell(cell: dict[str, Any], language: str) -> str:
    kind = cell.get("cell_type")
    if kind == "code":
        own = cell.get("language")  # format 3, as is `input`
        code = _source(cell, "source" if "source" in cell else "input")
        return _fenced(code, str(own) if _is_name(own) else language)
    if kind == "markdown":
        return _source(cell, "source")
    if kind == "heading":  # format 3
        level = cell.get("level")
        hashes = "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1)
        title = " ".join(_source(cell, "source").split())
        return f"{hashes} {title}" if title else ""
    return ""  # raw cells are for converters, not for readers


def _source(cell: dict[str, Any], key: str) -> str:
    source = cell.get(key, "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise ValueError("no notebook: the source of a cell is no text")
    try:
        source.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character (a lone surrogate)") from None
    return source.replace("\r\n", "\n").replace("\r", "\n").strip("\n") if source.strip() else ""


def _fenced(code: str, language: str) -> str:
    if not code:
        return ""
    if magic := re.match(r"%%(bash|sh|javascript|js|html|latex|ruby|perl|R|sql|cython|svg|writefile)\b", code):
        language = {"js": "javascript", "R": "r", "writefile": ""}.get(magic[1], magic[1])
    longest = max((len(found) for found in re.findall(r"^[ \t]*(`{3,})", code, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def _language(book: dict[str, Any]) -> str:
    metadata = book.get("metadata")
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(part) if isinstance(metadata, dict) else None
        name = found.get(key) if isinstance(found, dict) else None
        if _is_name(name):
            return str(name).lower()
    return "python"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[\w+#.-]{1,30}", value))
