"""The section `::audio path="…" transcript="…"::`, and the reader that makes such sections of a source's recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from dlm_core.api import Attr, Document, Message, Problem, Row, Section, SectionType, SourceReader, Text, chat_row
from dlm_core.media import section_media

from .kind import Audio, resampling

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})

#: A text file of a recording's name with this suffix is its transcript.
TRANSCRIPT = ".txt"
#: A text beside a recording that is longer is no transcript of it.
MOST_TEXT = 1 << 20


class AudioSection(SectionType):
    name: ClassVar[str] = "audio"
    help: ClassVar[str] = "a recording and what is heard in it"
    attrs: ClassVar[Mapping[str, Attr]] = {
        "path": Attr(required=True, doc="the file, from the document's folder"),
        "transcript": Attr(required=True, doc="what is said or heard in it"),
    }
    body: ClassVar[Literal["required", "optional", "forbidden"]] = "optional"

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        return [("audio", section.attrs["path"])] if "path" in section.attrs else []

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        """One row: asked what is heard, the model says the transcript."""
        said = (_beside(section) if section.source else section.attrs.get("transcript", "")).strip()
        if not said:
            if section.source:
                hint = f"write what is heard into {Path(section.file).stem}.txt beside it"
                yield Problem(section.span, "this recording has no transcript", hint, code="AUDIO0001")
            return
        part = section_media("audio", section, doc, resampling(doc.config))
        yield chat_row([Message("user", (part, Text(Audio.question))), Message.of("assistant", said)], section.span)


def _beside(section: Section) -> str:
    """The text file of the same name, empty when there is none that can be read."""
    path = Path(section.file).with_suffix(TRANSCRIPT)
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_TEXT:
        return ""
    return path.read_text(encoding="utf-8-sig", errors="replace")


class AudioFiles(SourceReader):
    """Recordings below a source; each is transcribed by the text file of its name beside it."""

    name: ClassVar[str] = "audio"
    suffixes: ClassVar[frozenset[str]] = SUFFIXES
    beside: ClassVar[str] = TRANSCRIPT

    def read(self, data: bytes, name: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        yield "audio", "", {"path": name}
