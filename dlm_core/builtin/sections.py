"""The section types of core: running text, and questions with their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..api import Document, Message, Problem, Row, Section, SectionType, chat_row, text_row
from ..api.rows import Role

_ROLES: Mapping[str, Role] = {"": "train", "!probe": "probe", "!exam": "exam"}


class Prose(SectionType):
    """Text that is learned as it stands: one row a section."""

    name = "prose"
    help = "text to learn as it stands"
    to_every_adapter = True

    def rows(self, section: Section, doc: Document) -> Iterator[Row]:
        yield text_row(section.content, section.at(0))


class Instruction(SectionType):
    """`### Q` and `### A`, repeated: one chat row a pair.

    `### Q !probe` is trained and always asked in the exam; `### Q !exam` is only asked.
    """

    name = "instruction"
    help = "questions and the answers to learn"
    markers = frozenset({"dlm-auto-synth", "dlm-auto-harvest"})

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        from ..document.headers import split_groups

        for found in split_groups(section, ("Q", "A"), ("!probe", "!exam")):
            if isinstance(found, Problem):
                yield found
            elif found.flag in _ROLES:
                question, answer = found.parts
                messages = [Message.of("user", question), Message.of("assistant", answer)]
                yield chat_row(messages, found.span, _ROLES[found.flag])
