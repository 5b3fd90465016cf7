"""What of a row or a conversation the gate reads: what the user said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlm_core.api import Message, Row

#: Of running text, so many of its first characters.
OPENING = 2048


def text_of(prompt: Sequence[Message]) -> str:
    """Everything that the user said, a line a message."""
    return "\n".join(message.text for message in prompt if message.role == "user")


def text_of_row(row: Row) -> str:
    """The prompt of a row: its question, the prompt of a pair, or how its text begins."""
    if row.messages:
        return text_of(row.question or row.messages)
    return str(row.data.get("prompt") or row.data.get("text") or "")[:OPENING]
