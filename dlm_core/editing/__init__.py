"""Change a document and nothing but what is meant: from its bytes to new bytes, checked, then written whole.

Every function takes the bytes of a document and returns those of the changed one.  What lies outside the change keeps
its bytes: comments, order, quotes, blank lines, line ends, the byte order mark.  The result is read again and compared
with the intention before it is returned; `write_document` puts it in the file's place.
"""

from .body import (
    NewSection,
    Part,
    add_marker,
    append_section,
    insert_section_after,
    parts_of,
    remove_section,
    replace_section_content,
    section_at,
    strip_markers,
)
from .diff import unified_diff
from .frontmatter import key_location, remove_key, set_value
from .intact import EditError
from .lines import Change, apply, offset_at
from .tidy import tidy
from .write import write_document

__all__ = [
    "Change",
    "EditError",
    "NewSection",
    "Part",
    "add_marker",
    "append_section",
    "apply",
    "insert_section_after",
    "key_location",
    "offset_at",
    "parts_of",
    "remove_key",
    "remove_section",
    "replace_section_content",
    "section_at",
    "set_value",
    "strip_markers",
    "tidy",
    "unified_diff",
    "write_document",
]
