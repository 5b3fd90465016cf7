"""Documents: bytes to a checked `Document`, its sections to rows.  pydantic and yaml are imported when one is read."""

from .read import parse_document, read_document
from .rows import build_rows, collect_rows, is_validation, split_rows
from .sections import media_id, section_id

__all__ = [
    "build_rows",
    "collect_rows",
    "is_validation",
    "media_id",
    "parse_document",
    "read_document",
    "section_id",
    "split_rows",
]
