"""The canonical form of a document: the same values, sections and ids, written in one way."""

from __future__ import annotations

from .body import NO_MARKERS, Part, fence, parts_of
from .intact import EditError, Syntax, keeps, parts_in, read_tree
from .lines import line_starts


def tidy(data: bytes, markers: frozenset[str] = NO_MARKERS) -> bytes:
    """The document in its canonical form; `markers` names those of plugins.

    LF line ends, no byte order mark, one line end at the end; no blanks at line ends of the frontmatter where they
    are part of no value; fences without blanks around, one between attributes; one blank line before each fence and
    below the frontmatter, none below a fence or a marker.  All else stays, since it is part of what is learned.
    Raises DocumentError or EditError for what is no document, or would not be the same document afterwards.
    """
    text, parts = parts_in(data)
    sections = parts_of(data, markers)
    read_tree(parts.frontmatter, parts.syntax)
    delimiter, starts = text[:3], line_starts(text)
    front = _without_trailing_blanks(parts.frontmatter, parts.syntax)
    pieces = [f"{delimiter}\n{front}{delimiter}\n", *(_section(text, part, starts) for part in sections)]
    done = "\n".join(pieces).encode()
    if [part.says for part in parts_of(done, markers)] != [part.says for part in sections]:
        raise EditError("the document would not be the same in its canonical form")
    return done


def _without_trailing_blanks(front: str, syntax: Syntax) -> str:
    """The frontmatter without blanks at line ends, if that changes no value."""
    stripped = "\n".join(line.rstrip(" \t") for line in front.split("\n"))
    data = read_tree(front, syntax).data
    return stripped if data is not None and keeps(stripped, syntax, data) else front


def _section(text: str, part: Part, starts: list[int]) -> str:
    lines = [fence(part.type, part.adapter, part.attrs)] if part.has_fence else []
    numbers = [marker.span.line for marker in part.markers]
    lines += [text[starts[number - 1] : starts[number]].strip() for number in numbers]
    return "".join(f"{line}\n" for line in [*lines, *([part.content] if part.content else [])])
