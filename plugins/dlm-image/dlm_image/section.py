"""The section `::image path="…" alt="…"::`, and the reader that makes such sections of a source's pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from dlm_core.api import Attr, Document, Message, Problem, Row, Section, SectionType, SourceReader, Text, chat_row
from dlm_core.media import section_media

from .kind import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tiff"})


class ImageSection(SectionType):
    name: ClassVar[str] = "image"
    help: ClassVar[str] = "a picture and what it shows"
    attrs: ClassVar[Mapping[str, Attr]] = {
        "path": Attr(required=True, doc="the file, from the document's folder"),
        "alt": Attr(doc="what it shows, where nothing is written below the fence"),
    }
    body: ClassVar[Literal["required", "optional", "forbidden"]] = "optional"

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        return [("image", section.attrs["path"])] if "path" in section.attrs else []

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        """One row: asked what the picture shows, the model says the caption."""
        caption = section.content.strip() or section.attrs.get("alt", "").strip()
        if not caption:
            hint = 'write what it shows below the fence, or `alt="…"` into it'
            yield Problem(section.span, "this picture has no caption", hint, code="IMAGE0001")
            return
        asked = Message("user", (section_media("image", section, doc), Text(Image.question)))
        yield chat_row([asked, Message.of("assistant", caption)], section.span)


class ImageFiles(SourceReader):
    """Pictures below a source; each is captioned by its name."""

    name: ClassVar[str] = "image"
    suffixes: ClassVar[frozenset[str]] = SUFFIXES

    def read(self, data: bytes, name: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        yield "image", "", {"path": name, "alt": caption_of(name)}


def caption_of(name: str) -> str:
    """`figures/harbour_at-night.png` as `harbour at night`.  Raises ValueError for a name that says nothing."""
    words = PurePosixPath(name).stem.replace("_", " ").replace("-", " ").split()
    if not words:
        raise ValueError("its name says nothing of what it shows")
    return " ".join(words)
