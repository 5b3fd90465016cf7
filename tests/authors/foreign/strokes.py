"""Drawings in documents: a kind of media, its section type, and a reader of such files."""

import json

from dlm_core import hookimpl
from dlm_core.api import Attr, MediaKind, Message, SectionType, SourceReader, Text, chat_row
from dlm_core.media import section_media


class Strokes(MediaKind):
    name, question = "strokes", "What is drawn here?"

    def probe(self, path):
        return {"notes": ["nothing is drawn"] if path.stat().st_size < len("[[]]") else []}

    def load(self, blob, policy):
        try:
            strokes = [[(x, y) for x, y in stroke] for stroke in json.loads(blob)]
            if not all(0 <= place <= 1 for stroke in strokes for point in stroke for place in point):
                raise ValueError
        except (ValueError, TypeError, RecursionError):
            raise ValueError("a drawing is a JSON list of strokes, each a list of points [x, y] from 0 to 1") from None
        return strokes

    def fingerprint(self, policy):
        return "strokes-1"

    def control_input(self):
        return []

    def pack(self, loaded):
        return json.dumps(loaded).encode()

    def unpack(self, packed):
        return self.load(bytes(packed), {})


class Drawing(SectionType):
    name, help, body = "strokes", "a drawing and what it is of", "forbidden"
    attrs = {"path": Attr(required=True, doc="its file"), "says": Attr(required=True, doc="what is drawn")}

    def media(self, section):
        return [("strokes", section.attrs["path"])]

    def rows(self, section, doc):
        asked = Message("user", (section_media("strokes", section, doc), Text(Strokes.question)))
        yield chat_row([asked, Message.of("assistant", section.attrs["says"])], section.span)


class DrawingFiles(SourceReader):
    name, suffixes = "strokes", frozenset({".strokes"})

    def read(self, data, name):
        yield "strokes", "", {"path": name, "says": "a " + name.rpartition("/")[2].partition(".")[0]}


dlm_media_kinds = hookimpl(lambda: [Strokes()], specname="dlm_media_kinds")
dlm_section_types = hookimpl(lambda: [Drawing()], specname="dlm_section_types")
dlm_source_readers = hookimpl(lambda: [DrawingFiles()], specname="dlm_source_readers")
