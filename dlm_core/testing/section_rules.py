"""The rule about section types: whatever is in a section, sound rows or a problem come out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .subject import Subject

if TYPE_CHECKING:
    from ..api import Document, Section, SectionType

#: Content that a section may hold and that its author did not think of.
_ODD = (
    "x",
    "a = b",
    "### Q",
    "### Q\n### A",
    "- [ ] ",
    "\t\n\t",
    "naïve 東京 \U0001f98a",
    "a\u2028b",
    "|" * 200,
    "{}",
    "0",
)


def rows_are_sound(subject: Subject) -> Iterator[str]:
    """Examples give valid rows that survive JSON and are the same again; odd content gives problems, not crashes."""
    for name, kind in subject.own(subject.plugins.section_types):
        given = subject.examples.get(name, ())
        bodies = [given] if isinstance(given, str) else list(given)
        if not bodies:
            yield f'section type {name}: give an example: conformance(…, examples={{"{name}": "::{name}::\\n…"}})'
        for body in bodies:
            yield from _example_complaints(name, body, kind, subject)
        yield from _odd_complaints(name, kind, subject)


def _example_complaints(name: str, body: str, kind: SectionType, subject: Subject) -> Iterator[str]:
    from ..api import DocumentError

    try:
        document = subject.document(body)
    except DocumentError as error:
        yield f"section type {name}: its example is refused: {error}"
        return
    sections = [section for section in document.sections if section.type == name]
    if not sections:
        yield f"section type {name}: its example holds no such section"
    for section in sections:
        yield from (f"section type {name}: {why}" for why in _row_complaints(section, document, kind))


def _row_complaints(section: Section, document: Document, kind: SectionType) -> Iterator[str]:
    from ..api import Problem, Row

    try:
        found, again = list(kind.rows(section, document)), list(kind.rows(section, document))
    except Exception as error:
        yield f"its example raised {error!r}"
        return
    yield from (f"its example is refused: {one.message}" for one in found if isinstance(one, Problem))
    if wrong := [one for one in found if not isinstance(one, Row | Problem)]:
        yield f"rows() must yield Row and Problem, not {wrong[0]!r}"
    rows = [one for one in found if isinstance(one, Row)]
    if not rows:
        yield "its example gives no row"
    for row, other in zip(rows, again, strict=False):
        yield from _data_complaints(row)
        try:
            travelled = Row.from_json(json.loads(json.dumps(row.to_json())))
        except (TypeError, ValueError, KeyError) as error:
            yield f"a row does not survive JSON: {error!r}"
            continue
        if travelled.key != row.key:
            yield "a row is another one after a trip through JSON"
        if not isinstance(other, Row) or other.key != row.key:
            yield "the same section gives other rows the second time"


def _data_complaints(row: Any) -> Iterator[str]:
    """What is wrong with the data of a row of a known kind."""
    from ..api import Media, Message, Text

    if row.kind == "text" and not isinstance(row.data.get("text"), str):
        yield 'a text row needs {"text": str}; text_row() makes one'
    if row.kind == "chat":
        messages = row.data.get("messages")
        if not isinstance(messages, tuple) or not all(isinstance(one, Message) for one in messages):
            yield 'a chat row needs {"messages": tuple[Message, ...]}; chat_row() makes one'
        elif not any(one.role == "assistant" for one in messages):
            yield "a chat row without an assistant's message has nothing to learn"
        elif not all(isinstance(part, Text | Media) for one in messages for part in one.content):
            yield "a message's content is a tuple of Text and Media parts; Message.of() makes one of text"
    if row.kind == "preference" and (missing := {"prompt", "chosen", "rejected"} - row.data.keys()):
        yield f"a preference row needs {', '.join(sorted(missing))}"
    if row.role not in ("train", "probe", "exam"):
        yield f"a row's role is train, probe or exam, not {row.role!r}"
    if row.span.line < 1 or row.span.col < 1:
        yield "a row's span counts from 1; section.at(0) is the first line of the content"


def _odd_complaints(name: str, kind: SectionType, subject: Subject) -> Iterator[str]:
    from ..api import Problem, Row, Section, Span

    document = subject.document("text")
    attrs = {key: "x" for key, attr in kind.attrs.items() if attr.required}
    for content in _ODD if kind.body != "forbidden" else ("",):
        section = Section(name, content, Span(6), "0" * 16, attrs=attrs, content_line=7)
        try:
            found = list(kind.rows(section, document))
        except ValueError:
            continue
        except Exception as error:
            yield f"section type {name}: {content[:20]!r} raised {error!r}; yield a Problem or raise ValueError"
            continue
        if wrong := next((one for one in found if not isinstance(one, Row | Problem)), None):
            yield f"section type {name}: rows() must yield Row and Problem, not {wrong!r}"
