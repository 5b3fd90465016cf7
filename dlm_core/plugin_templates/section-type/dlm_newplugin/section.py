"""The section type: `word: meaning`, one a line, becomes a question and its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from dlm_core.api import Attr, Document, Message, Problem, Row, Section, SectionType, chat_row


class NewPlugin(SectionType):
    name = "newplugin"
    help = "words and what they mean, one a line"
    attrs: ClassVar[Mapping[str, Attr]] = {"ask": Attr(doc="the question, with {} for the word")}

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        question = section.attrs.get("ask", "What does {} mean?")
        for number, line in enumerate(section.content.split("\n")):
            if not line.strip():
                continue
            word, colon, meaning = line.partition(":")
            if not (word.strip() and colon and meaning.strip()):
                yield Problem(
                    section.at(number, 1, len(line)), "this is not `word: meaning`", "put a colon between them"
                )
                continue
            ask = Message.of("user", question.replace("{}", word.strip()))
            yield chat_row([ask, Message.of("assistant", meaning.strip())], section.at(number))
