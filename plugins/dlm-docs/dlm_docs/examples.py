"""Examples in tables and JSON: which columns hold what, and the sections that carry them without loss."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dlm_core.api import Message, Problem, Span

from .conversation import check_turns, dump, load, make_message, read_messages
from .readers import Found, prose

#: Names of columns for a question and its answer; the first pair that is there is taken.
PAIRS = (
    ("question", "answer"),
    ("q", "a"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("query", "response"),
    ("query", "answer"),
    ("question", "response"),
    ("prompt", "answer"),
    ("user", "assistant"),
    ("front", "back"),
)
#: What may come with them: more of the question, and what the system says before.
MORE, SYSTEM = ("input", "context"), ("system", "system_prompt")
#: Columns with a whole conversation, and with text to learn as it stands.
TALKS, TEXTS = ("messages", "conversations", "conversation"), ("text",)
KNOWN = "question and answer, prompt and response, instruction and output, messages, or text"

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
#: Lines that `::instruction::` would read as something else than text.
_NOT_PLAIN = re.compile(r"^[ \t]*(?:#{2,4}|```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which of a table's or an object's names hold what; `kind` is `pair`, `talk` or `text`."""

    kind: str
    ask: str
    reply: str = ""
    more: str = ""
    system: str = ""


def find_columns(names: Collection[str]) -> Columns | None:
    """What the names mean, whatever their case, blanks and hyphens; None when nothing is recognised."""
    plain = {re.sub(r"[\s\-]+", "_", str(name).strip().casefold()): str(name) for name in reversed(list(names))}
    system = next((plain[name] for name in SYSTEM if name in plain), "")
    for talk in TALKS:
        if talk in plain:
            return Columns("talk", plain[talk], system=system)
    for ask, reply in PAIRS:
        if ask in plain and reply in plain:
            more = next((plain[name] for name in MORE if name in plain), "")
            return Columns("pair", plain[ask], plain[reply], more, system)
    return next((Columns("text", plain[text]) for text in TEXTS if text in plain), None)


class EmptyError(ValueError):
    """A question, an answer or a text that is not there."""


def section_of(row: Mapping[str, Any], columns: Columns, name: str, line: int) -> Found:
    """The section of one example.  Raises EmptyError, or ValueError with what is wrong with it."""
    if columns.kind == "text":
        text = _string(row.get(columns.ask), columns.ask)
        make_message("user", text)
        return prose(name, text.strip("\n"), line)
    messages = _talk(row.get(columns.ask)) if columns.kind == "talk" else _pair(row, columns)
    if (system := _optional(row, columns.system)) and messages[0].role != "system":
        messages = [make_message("system", system), *messages]
    if len(messages) == 2 and all(_is_plain(one.text) for one in messages):
        return "instruction", f"### Q\n{messages[0].text}\n### A\n{messages[1].text}", {}, line
    return "conversation", dump(messages), {}, line


def _is_plain(text: str) -> bool:
    """Whether an `::instruction::` gives back this very text."""
    return text == text.strip() and "\r" not in text and not _NOT_PLAIN.search(text)


def _pair(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    ask = _string(row.get(columns.ask), columns.ask)
    reply = _string(row.get(columns.reply), columns.reply)
    more = _optional(row, columns.more)
    return [make_message("user", f"{ask}\n\n{more}" if more else ask), make_message("assistant", reply)]


def _talk(value: Any) -> list[Message]:
    """The messages of OpenAI (role, content) or of ShareGPT (from, value), perhaps as text of a cell."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise EmptyError
    turns = load(value) if isinstance(value, str) else value
    if not (isinstance(turns, list) and turns and isinstance(turns[0], dict) and "from" in turns[0]):
        return read_messages(turns)
    if not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("a message is an object with from and value")
    made = [make_message(_ROLES.get(str(turn.get("from")), turn.get("from")), turn.get("value")) for turn in turns]
    return check_turns(made)


def _string(value: Any, column: str) -> str:
    if value is None or value == "":
        raise EmptyError
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str):
        raise ValueError(f"{column} is a {type(value).__name__}, not text")
    if not value.strip():
        raise EmptyError
    return value


def _optional(row: Mapping[str, Any], column: str) -> str:
    try:
        return _string(row.get(column), column) if column else ""
    except EmptyError:
        return ""


#: Lines that are named one by one; of more, only how many.
NAMED = 10


@dataclass(slots=True)
class LeftOut:
    """What is said of rows that were left out: the first ones by line, the rest counted."""

    what: str
    empty: list[int] = field(default_factory=list)
    wrong: int = 0
    first: list[Problem] = field(default_factory=list)

    def add(self, line: int, error: ValueError) -> None:
        if isinstance(error, EmptyError):
            self.empty.append(line)
            return
        self.wrong += 1
        if self.wrong <= NAMED:
            self.first.append(_left_out(line, f"this {self.what} is left out: {error}"))

    def problems(self) -> Iterator[Problem]:
        yield from self.first
        if self.wrong > NAMED:
            yield _left_out(1, f"{self.wrong - NAMED} more {self.what}s like that are left out")
        if self.empty:
            lines = ", ".join(map(str, self.empty[:NAMED])) + (", …" if len(self.empty) > NAMED else "")
            many = f"{len(self.empty)} {self.what}{'s' if len(self.empty) > 1 else ''}"
            yield _left_out(self.empty[0], f"{many} without a question, an answer or text left out: {lines}")

    @property
    def count(self) -> int:
        return self.wrong + len(self.empty)


def _left_out(line: int, message: str) -> Problem:
    return Problem(Span(line), message, None, "warning", "DOC0001")
