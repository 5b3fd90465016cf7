"""Text as HTML: escaped, with everything that would hide or reorder it made visible."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

#: Control characters but tab and line feed, marks that change the direction of what follows, and non-characters.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


def text(value: object) -> str:
    """Any value as HTML text, also for use inside quoted attributes."""
    return html.escape(_HIDDEN.sub(_visible, str(value)))


def cut(value: str, most: int) -> str:
    """At most so many characters of a text, an ellipsis where it goes on."""
    return value if len(value) <= most else value[: most - 1] + "…"


def own_direction(value: object) -> str:
    """Text of the document inside a sentence of ours: its direction stays its own."""
    return f"<bdi>{text(value)}</bdi>"


def table(head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table of cells that are HTML already.  On a narrow page each cell bears its column's name."""
    names = list(head)
    top = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-of="{text(name)}">{cell}</td>' for name, cell in zip(names, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def section(name: str, title: str, body: str) -> str:
    """A part of the page, with a heading that can be linked to; nothing when there is nothing to say."""
    return f'<section id="{name}"><h2>{text(title)}</h2>{body}</section>' if body else ""


def _visible(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"
