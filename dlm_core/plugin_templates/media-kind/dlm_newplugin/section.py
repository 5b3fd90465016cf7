"""The section type: a file, and below the fence what it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from dlm_core.api import Attr, Document, Message, Problem, Row, Section, SectionType, Text, chat_row
from dlm_core.media import section_media

QUESTION = "What is this?"


class NewPluginSection(SectionType):
    name = "newplugin"
    help = "a file of numbers and what it is"
    attrs: ClassVar[Mapping[str, Attr]] = {"path": Attr(required=True, doc="the file, from the document's folder")}

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        return [("newplugin", section.attrs["path"])]

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        part = section_media("newplugin", section, doc)
        question = Message("user", (part, Text(QUESTION)))
        yield chat_row([question, Message.of("assistant", section.content.strip())], section.at(0))
