"""Bytes to text, and text to frontmatter and body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..api import DocumentError, Fix, Problem, Span


@dataclass(frozen=True, slots=True)
class Parts:
    """The two parts of a document.  The frontmatter's text starts on line 2; the body at `body`, an offset."""

    frontmatter: str
    syntax: Literal["yaml", "toml"]
    body: int
    body_line: int


def decode(data: bytes, path: Path) -> tuple[str, list[Problem]]:
    """The text with LF line ends and without a byte order mark, and warnings.

    Raises DocumentError for bytes that are not UTF-8, with the offset of the first.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DocumentError(path, [_undecodable(data, error)]) from None
    warnings = []
    if text.startswith("\ufeff"):
        text = text[1:]
        hint = "save the file as UTF-8 without a byte order mark"
        message, fix = "the byte order mark at the start is ignored", Fix(Span(1, 0, 1), "")
        warnings.append(Problem(Span(1), message, hint, "warning", "DLM0214", fix=fix))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, warnings


def _undecodable(data: bytes, error: UnicodeDecodeError) -> Problem:
    before = data[: error.start].decode().replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    span = Span(before.count("\n") + 1, len(before) - before.rfind("\n"))
    message = f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8"
    return Problem(span, message, "save the file as UTF-8", code="DLM0213")


def divide(text: str) -> Parts | Problem:
    """Find the frontmatter between `---` lines (YAML) or `+++` lines (TOML)."""
    first = text[: text.find("\n")] if "\n" in text else text
    if first not in ("---", "+++"):
        meant = first.strip() if first.strip() in ("---", "+++") else None
        hint = f"remove the blanks around `{meant}`" if meant else "`dlm init NEW.dlm` writes a document to start from"
        message = "a document starts with a line `---` and its frontmatter"
        fix = Fix(Span(1, 1, len(first)), meant) if meant else None
        return Problem(Span(1, 1, max(1, min(len(first), 80))), message, hint, code="DLM0105", fix=fix)
    close = text.find(f"\n{first}\n", 3)
    if close < 0 and len(text) > 3 and text.endswith(f"\n{first}"):
        close = len(text) - 4
    if close < 0:
        hint, fix = _closer_advice(text, first)
        return Problem(Span(1, 1, 3), f"no line `{first}` closes the frontmatter", hint, code="DLM0106", fix=fix)
    body = min(close + 5, len(text))
    return Parts(text[4 : close + 1], "yaml" if first == "---" else "toml", body, text.count("\n", 0, body) + 1)


def _closer_advice(text: str, delimiter: str) -> tuple[str, Fix | None]:
    """What to do about a missing closer.  One that is indented may be part of a value, so only blanks after it are
    beyond doubt."""
    for number, line in enumerate(text[: 1 << 20].split("\n")[1:], 2):
        if line.strip() == delimiter:
            fix = Fix(Span(number, 1, len(line)), delimiter) if line.startswith(delimiter) else None
            return f"line {number} has blanks beside its `{delimiter}`: remove them", fix
    return f"put a line `{delimiter}` between the frontmatter and the text", None
