"""The section type `preference`: a prompt with a better and a worse answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core.api import Problem, SectionType, preference_row

from .rules import is_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlm_core.api import Document, Row, Section


class Preference(SectionType):
    """`### Prompt`, `### Chosen` and `### Rejected`, repeated: one preference row a triple.

    A document that says `training.preference.enabled: false` keeps its sections and trains none of them.
    """

    name = "preference"
    help = "prompts, each with a better and a worse answer"
    markers = frozenset({"dlm-auto-mined", "dlm-auto-harvest"})

    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        from dlm_core.headers import split_groups

        off = is_off(doc)
        for found in split_groups(section, ("Prompt", "Chosen", "Rejected")):
            if isinstance(found, Problem):
                yield found
                continue
            prompt, chosen, rejected = found.parts
            if chosen.strip() == rejected.strip():
                message = "the chosen and the rejected answer are the same"
                yield Problem(found.span, message, "write two that differ, or remove the three", code="PREF0005")
            elif not off:
                yield preference_row(prompt, chosen, rejected, found.span)
