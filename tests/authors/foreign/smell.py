"""A media kind that nobody foresaw: a smell, eight floats; its section type; a base that has a nose."""

import struct

from dlm_core import hookimpl
from dlm_core.api import Attr, BaseModel, MediaKind, Message, SectionType, chat_row
from dlm_core.media import section_media


class Smell(MediaKind):
    name = "smell"

    def probe(self, path):
        return {"strongest": max(self.load(path.read_bytes(), {}))}

    def load(self, blob, policy):
        if len(blob) != 32:
            raise ValueError("a smell is eight floats of four bytes")
        return struct.unpack("<8f", blob)

    def fingerprint(self, policy):
        return "smell-1"

    def control_input(self):
        return (0.0,) * 8


class SmellSection(SectionType):
    name, help = "smell", "a smell and what it is of"
    attrs = {"path": Attr(required=True, doc="a file of eight floats")}

    def rows(self, section, doc):
        part = section_media("smell", section, doc)
        yield chat_row([Message("user", (part,)), Message.of("assistant", section.content)], section.at(0))


dlm_media_kinds = hookimpl(lambda: [Smell()], specname="dlm_media_kinds")
dlm_section_types = hookimpl(lambda: [SmellSection()], specname="dlm_section_types")
dlm_base_models = hookimpl(
    lambda: [BaseModel("nose", "hub:made-up/nose", "1", accepts={"smell": {}})], specname="dlm_base_models"
)
