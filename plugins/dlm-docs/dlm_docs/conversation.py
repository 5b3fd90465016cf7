"""The section type `conversation`: turns of user and assistant as JSON, one conversation a line, whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from dlm_core.api import Document, Message, Problem, Row, Section, SectionType, chat_row

_HINT = 'write `[{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]` on one line'


class Conversation(SectionType):
    """A JSON list of messages a line: one chat row a line, every answer in it learned.

    JSON is what keeps a text whole that has a `### A`, a fence or a blank line at its end.
    """

    name = "conversation"
    help = "conversations of several turns, one JSON list of messages a line"
    markers = frozenset({"dlm-auto-synth", "dlm-auto-harvest"})

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        # Not splitlines(): JSON may hold other line ends, such as U+2028, as they are.
        for offset, line in enumerate(section.content.split("\n")):
            if not line.strip():
                continue
            span = section.at(offset, 1, len(line))
            try:
                yield chat_row(read_messages(load(line)), span)
            except ValueError as error:
                yield Problem(span, f"not a conversation: {error}", _HINT, code="DOC0002")


def load(text: str) -> Any:
    """A JSON value.  Raises ValueError, also for one that is nested too deep."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON: {error.msg}, line {error.lineno} column {error.colno}") from error
    except RecursionError:
        raise ValueError("nested too deep") from None


def dump(messages: Sequence[Message]) -> str:
    """The line that `Conversation` reads back as these messages."""
    return json.dumps([{"role": one.role, "content": one.text} for one in messages], ensure_ascii=False)


def read_messages(value: Any) -> list[Message]:
    """Messages as OpenAI writes them: perhaps a system message, then user and assistant in turn, an answer at the end.

    Raises ValueError for anything else, for chat templates refuse it or, worse, do not.
    """
    if not isinstance(value, list):
        raise ValueError("it is no list of messages")
    return check_turns([_message(one) for one in value])


def check_turns(messages: list[Message]) -> list[Message]:
    """The same messages.  Raises ValueError unless the roles are in an order that can be learned."""
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    for index, one in enumerate(turns):
        if one.role != ("user", "assistant")[index % 2]:
            raise ValueError(f"turn {index + 1} is {one.role}; user and assistant must take turns, the user first")
    if not turns or turns[-1].role != "assistant":
        raise ValueError("it does not end with an answer of the assistant")
    return messages


def make_message(role: Any, text: Any) -> Message:
    """A message with some text.  Raises ValueError for another role, and for text that cannot be learned."""
    if role not in ("system", "user", "assistant"):
        raise ValueError(f"the role {str(role)[:40]!r} is not known: system, user or assistant")
    if not isinstance(text, str):
        raise ValueError(f"the text of {role} is {type(text).__name__}, not a string")
    if not text.strip():
        raise ValueError(f"the text of {role} is empty")
    if "\0" in text:
        raise ValueError(f"the text of {role} holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the text of {role} has half a character (a lone surrogate)") from None
    return Message.of(role, text)


def _message(value: Any) -> Message:
    if not isinstance(value, dict):
        raise ValueError("a message is an object with role and content")
    if value.get("tool_calls") or value.get("function_call"):
        raise ValueError("calls of tools cannot be learned yet")
    if value.get("weight", 1) != 1:
        raise ValueError("weights of single messages are not known; every answer is learned")
    return make_message(value.get("role"), _text(value.get("content")))


def _text(content: Any) -> Any:
    """The text of a content, which may be a list of parts."""
    if not isinstance(content, list):
        return content
    for part in content:
        if not (isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)):
            raise ValueError("only parts of type text can be read")
    return "".join(part["text"] for part in content)
