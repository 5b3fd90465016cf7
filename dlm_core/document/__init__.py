"""Documents: bytes to a checked `Document`, its sections to rows.  pydantic and yaml are imported when one is read."""

from .make import section_id
from .read import inspect_document, parse_document, read_bytes, read_document
from .rows import build_rows, collect_rows, is_validation, split_rows
from .sections import media_id

__all__ = [
    "build_rows",
    "collect_rows",
    "inspect_document",
    "is_validation",
    "media_id",
    "parse_document",
    "read_bytes",
    "read_document",
    "section_id",
    "split_rows",
]
