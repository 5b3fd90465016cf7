"""Make spans and sections by writing their slots: half the time of a frozen dataclass's own way.

A large document has tens of thousands of each, and making them was a third of the time to read it.
"""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256

from ..api import Section, Span

_line, _col, _width = (getattr(Span, field.name).__set__ for field in fields(Span))
_type, _content, _span, _id, _adapter, _attrs, _content_line, _markers, _source = (
    getattr(Section, field.name).__set__ for field in fields(Section)
)


def section_id(kind: str, content: str) -> str:
    """The first 16 hex digits of SHA-256 over type, LF, content."""
    return sha256(f"{kind}\n{content}".encode()).hexdigest()[:16]


def make_span(line: int, col: int, width: int) -> Span:
    made = object.__new__(Span)
    _line(made, line)
    _col(made, col)
    _width(made, width)
    return made


def make_section(kind: str, content: str, span: Span, ident: str, adapter: str | None, line: int) -> Section:
    """A section of the document itself, without attributes or markers."""
    made = object.__new__(Section)
    _type(made, kind)
    _content(made, content)
    _span(made, span)
    _id(made, ident)
    _adapter(made, adapter)
    _attrs(made, {})
    _content_line(made, line)
    _markers(made, ())
    _source(made, "")
    return made
