"""Rows: what sections become and trainers take.  Section types and trainers meet only here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, Literal

from .document import Span

Role = Literal["train", "probe", "exam"]

_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file that a model takes in beside text.  Core carries it and does not interpret `kind`.

    `path` is absolute.  What the part is, in a row's hash for instance, is its kind, the SHA-256 of the file and
    `options`, which go over the base's policy when it is loaded: a file that is moved stays the same part.
    """

    kind: str
    path: str
    sha256: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def blank(cls, kind: str) -> Media:
        """What stands for nothing of this kind: its `control_input()`."""
        return cls(kind, "", "")

    @property
    def is_blank(self) -> bool:
        return not self.sha256

    @property
    def shown(self) -> str:
        """The part in a line for people."""
        return f"[{self.kind} {PurePath(self.path).name}]" if self.path else f"[no {self.kind}]"


Part = Text | Media


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: tuple[Part, ...]

    @classmethod
    def of(cls, role: Literal["system", "user", "assistant"], text: str) -> Message:
        return cls(role, (Text(text),))

    @property
    def text(self) -> str:
        """The text parts put together; media parts are left out."""
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def media(self) -> tuple[Media, ...]:
        return tuple(part for part in self.content if isinstance(part, Media))

    @property
    def shown(self) -> str:
        """The message in a line for people: media parts by their files' names."""
        return " ".join(part.shown if isinstance(part, Media) else part.text for part in self.content).strip()


@dataclass(frozen=True, slots=True)
class Row:
    """One training example.  `kind` decides which trainer takes it.

    Known kinds and their data: `text` {"text": str}; `chat` {"messages": tuple[Message, ...]};
    `preference` {"prompt", "chosen", "rejected"}.  A section type fills `kind`, `data`, `span` and `role`;
    core fills the rest.  Role `train` may fall to the validation side, `probe` is always trained and asked,
    `exam` is only asked.

    `span` is a place in the document: of a row from a source, where the document names that source.  `source_line` is
    the row's line in the source's file, 0 where the reader does not tell it.
    """

    kind: str
    data: Mapping[str, Any]
    span: Span
    role: Role = "train"
    section_id: str = ""
    section_type: str = ""
    index: int = 0
    adapters: tuple[str, ...] = ("default",)
    source: str = ""
    source_line: int = 0
    _hash: str = field(default="", init=False, repr=False, compare=False)

    @property
    def line(self) -> int:
        """The line of the file that the row is in, its source or the document; where no reader told it, of `span`."""
        return self.source_line or self.span.line

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages of a `chat` row; empty for any other kind."""
        found: tuple[Message, ...] = self.data.get("messages", ())
        return found

    @property
    def media(self) -> tuple[Media, ...]:
        """The media parts of a `chat` row, in their order."""
        return tuple(part for message in self.messages for part in message.media)

    @property
    def question(self) -> tuple[Message, ...] | None:
        """What to ask to examine this row: a chat without its last answer, or None."""
        messages = self.messages
        return messages[:-1] if len(messages) > 1 and messages[-1].role == "assistant" else None

    @property
    def answer(self) -> str | None:
        return self.messages[-1].text if self.question is not None else None

    @property
    def choices(self) -> tuple[Row, Row] | None:
        """The prompt of a `preference` row with the chosen and with the rejected answer, as chat rows; else None."""
        if self.kind != "preference":
            return None
        ask = Message.of("user", self.data["prompt"])
        answers = (Message.of("assistant", self.data[name]) for name in ("chosen", "rejected"))
        chosen, rejected = (replace(self, kind="chat", data={"messages": (ask, answer)}) for answer in answers)
        return chosen, rejected

    @property
    def hash(self) -> str:
        """SHA-256 of kind and data, 64 hex digits.  Where a media file lies is no part of it."""
        if not self._hash:  # a run asks for it many times
            text = _ENCODE([self.kind, _plain(self.data, with_paths=False)])
            object.__setattr__(self, "_hash", hashlib.sha256(text.encode()).hexdigest())
        return self._hash

    @property
    def key(self) -> str:
        """The row's identity: section, index in the section and content (FORMAT §3)."""
        return f"{self.section_id}:{self.index}:{self.hash[:16]}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "data": _plain(self.data),
            "span": [self.span.line, self.span.col, self.span.width],
            "role": self.role,
            "section_id": self.section_id,
            "section_type": self.section_type,
            "index": self.index,
            "adapters": list(self.adapters),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Row:
        data = dict(value["data"])
        if "messages" in data:
            data["messages"] = tuple(
                Message(m["role"], tuple(_part(part) for part in m["content"])) for m in data["messages"]
            )
        fields = {**value, "data": data, "span": Span(*value["span"]), "adapters": tuple(value["adapters"])}
        return cls(**fields)


def text_row(text: str, span: Span) -> Row:
    """A row that is learned as running text."""
    return Row("text", {"text": text}, span)


def preference_row(prompt: str, chosen: str, rejected: str, span: Span) -> Row:
    """A row of two answers to one prompt, of which the first is to be preferred."""
    return Row("preference", {"prompt": prompt, "chosen": chosen, "rejected": rejected}, span)


def chat_row(messages: Sequence[Message], span: Span, role: Role = "train") -> Row:
    """A row whose assistant messages are learned, each with its stop token."""
    return Row("chat", {"messages": tuple(messages)}, span, role)


def _part(value: Any) -> Part:
    return Text(value) if isinstance(value, str) else Media(**value)


def _plain(value: Any, with_paths: bool = True) -> Any:
    match value:
        case Text():
            return value.text
        case Media():
            path = {"path": value.path} if with_paths else {}
            return {"kind": value.kind, **path, "sha256": value.sha256, "options": dict(value.options)}
        case Message():
            return {"role": value.role, "content": [_plain(part, with_paths) for part in value.content]}
        case Mapping():
            return {key: _plain(inner, with_paths) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, with_paths) for inner in value]
        case _:
            return value
