"""How the null base reads: rows become words, media parts become what their kind makes of the file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...api import Media, Message, Row
from ...media import media_reader

if TYPE_CHECKING:
    from ...plugins import Plugins

#: Different words; a word's id is a hash, so that nothing has to be stored.
VOCABULARY = 256
STOP = "</s>"

#: Words in their order, each with whether it is learned.
Words = Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Wording:
    """`accepts` is the base's own: kind of media -> the policy its files are loaded with."""

    plugins: Plugins
    accepts: Mapping[str, Mapping[str, Any]]

    def render(self, messages: Sequence[Message], system_prompt: str | None, answer_next: bool) -> str:
        """Messages as text, each behind its role."""
        has_system = any(message.role == "system" for message in messages)
        system = [Message.of("system", system_prompt)] if system_prompt and not has_system else []
        lines = [f"{message.role}: {self._content(message)}" for message in (*system, *messages)]
        return "\n".join([*lines, *(["assistant:"] if answer_next else [])])

    def read(self, row: Row, system_prompt: str | None) -> list[tuple[str, bool]]:
        """The row's words, each with whether it is learned: running text whole, a chat by its answers."""
        if row.kind == "text":
            return [(word, True) for word in (*str(row.data["text"]).split(), STOP)]
        if row.kind != "chat":
            return [(word, True) for text in _texts(row.to_json()["data"]) for word in text.split()]
        messages = row.messages
        words = [(word, False) for word in (system_prompt or "").split()]
        for message in messages:
            learned = message.role == "assistant"
            end = [STOP] if learned else []
            words += [(f"{message.role}:", False), *((w, learned) for w in (*self._content(message).split(), *end))]
        return words

    def _content(self, message: Message) -> str:
        return "".join(self._look(part) if isinstance(part, Media) else part.text for part in message.content)

    def _look(self, part: Media) -> str:
        """What the part's kind loads, as one word."""
        self.plugins.get(self.plugins.media_kinds, part.kind)
        loaded = media_reader(self.plugins, self.accepts).load(part)
        seen = json.dumps(loaded, separators=(",", ":"), default=lambda _: part.sha256)
        return f" <{part.kind}:{seen}> ".replace(", ", ",")


def word_id(word: str) -> int:
    """A number below VOCABULARY."""
    return zlib.crc32(word.encode()) % VOCABULARY


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
