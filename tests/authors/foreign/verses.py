"""Poems by their lines, and a page about what can be wrong with one."""

from dlm_core import hookimpl
from dlm_core.api import Explanation, Problem, SectionType, text_row

PAGE = """# VERSE0001: a poem without a title

The first line of a `::verses::` section is the title, and a blank line follows it.
"""


class Verses(SectionType):
    name = "verses"
    help = "a poem under its title"

    def rows(self, section, doc):
        title, _, poem = section.content.partition("\n\n")
        if "\n" in title or not poem:
            yield Problem(section.at(0), "a poem without a title", "write one, and a blank line", code="VERSE0001")
            return
        yield text_row(f"{title}\n{poem}", section.span)


@hookimpl
def dlm_section_types():
    return [Verses()]


@hookimpl
def dlm_explanations():
    return [Explanation("VERSE0001", "a poem without a title", PAGE)]
