"""Make spans and sections in a third of the time of a frozen dataclass's own way.

A large document has tens of thousands of each, and making them was a third of the time to read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any

from ..api import Section, Span


def _draft(kind: type[Any]) -> Any:
    """A class that lies in memory like a frozen one: its objects may become such ones once their fields are set."""
    return type("Draft", (), {"__slots__": tuple(field.name for field in fields(kind))})


_SpanDraft, _SectionDraft = _draft(Span), _draft(Section)


def section_id(kind: str, content: str) -> str:
    """The first 16 hex digits of SHA-256 over type, LF, content."""
    return sha256(f"{kind}\n{content}".encode()).hexdigest()[:16]


def make_span(line: int, col: int, width: int) -> Span:
    made = _SpanDraft()
    made.line = line
    made.col = col
    made.width = width
    made.__class__ = Span
    return made  # type: ignore[no-any-return]


def make_section(kind: str, content: str, span: Span, adapter: str | None, line: int) -> Section:
    """A section of the document itself, without attributes or markers; its id is made of type and content."""
    made = _SectionDraft()
    made.type = kind
    made.content = content
    made.span = span
    made.id = section_id(kind, content)
    made.adapter = adapter
    made.attrs = {}
    made.content_line = line
    made.markers = ()
    made.source = ""
    made.tells_lines = True
    made.file = ""
    made.__class__ = Section
    return made  # type: ignore[no-any-return]


def make_source_section(
    kind: str, content: str, span: Span, attrs: Mapping[str, str], line: int | None, source: str, file: str
) -> Section:
    """A section of a file: `span` is the source's place in the document, `line` that of the text in the file, `source`
    the file's name below the source, `file` its path."""
    made = _SectionDraft()
    made.type = kind
    made.content = content
    made.span = span
    made.id = section_id(kind, content)
    made.adapter = None
    made.attrs = attrs
    made.content_line = span.line if line is None else line
    made.markers = ()
    made.source = source
    made.tells_lines = line is not None
    made.file = file
    made.__class__ = Section
    return made  # type: ignore[no-any-return]
