"""A section type: one line a tide becomes one question and its answer."""

from dlm_core import hookimpl
from dlm_core.api import Attr, Message, Problem, SectionType, chat_row


class Tides(SectionType):
    name = "tides"
    help = "high water, a time and a height a line"
    attrs = {"at": Attr(required=True, doc="the harbour")}

    def rows(self, section, doc):
        for number, line in enumerate(section.content.splitlines()):
            time, _, height = line.partition(" ")
            if not height:
                yield Problem(section.at(number), "a tide is a time and a height", "write `06:12 4.1 m`")
                continue
            question = f"How high is the water in {section.attrs['at']} at {time}?"
            yield chat_row([Message.of("user", question), Message.of("assistant", height)], section.at(number))


@hookimpl
def dlm_section_types():
    return [Tides()]
