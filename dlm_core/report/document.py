"""The document as it was trained, each section marked by how well it was learned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..api import Section
from ..exam import SectionResult
from .markup import own_direction, text
from .record import RunRecord
from .verdicts import badge, bar, kind_of, losses

#: Longer sections are shown up to here; so is the whole document.
LONGEST_SECTION = 10_000
LONGEST_DOCUMENT = 1_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines of the document that belong together; `section` is None for the frontmatter."""

    line: int
    text: str
    section: Section | None


def document_part(record: RunRecord) -> str:
    """The document, and what came from sources as a list."""
    if not record.text:
        return '<p class="note">The document’s text was not kept with this run.</p>' + _from_sources(record)
    by_section = results_by_section(record)
    left, found = LONGEST_DOCUMENT, []
    for stretch in stretches(record.text, record.doc.sections):
        if left <= 0:
            found.append('<p class="note">The rest of the document is not shown.</p>')
            break
        found.append(_stretch(stretch, record.sides, by_section))
        left -= min(len(stretch.text), LONGEST_SECTION)
    return f'<div class="document">{"".join(found)}</div>{_from_sources(record)}'


def results_by_section(record: RunRecord) -> Mapping[str, list[SectionResult]]:
    """Section id -> its results, one for each adapter."""
    found: dict[str, list[SectionResult]] = defaultdict(list)
    for result in record.exam.sections if record.exam else ():
        found[result.section_id].append(result)
    return found


def stretches(document: str, sections: Sequence[Section]) -> Iterator[Stretch]:
    """The document cut at its sections' first lines, nothing left out."""
    lines = document.split("\n")
    starts = [(1, None), *((section.span.line, section) for section in sections)]
    ends = [*(line for line, _ in starts[1:]), len(lines) + 1]
    for (line, section), end in zip(starts, ends, strict=True):
        if end > line:
            yield Stretch(line, "\n".join(lines[line - 1 : end - 1]).rstrip("\n"), section)


def _stretch(stretch: Stretch, sides: Mapping[str, str], by_section: Mapping[str, list[SectionResult]]) -> str:
    section = stretch.section
    if section is None:
        return f'<details class="front"><summary>frontmatter</summary>{_text(stretch)}</details>'
    results = by_section.get(section.id, [])
    kind = kind_of(results, sides.get(section.id, ""))
    tag = "" if stretch.text.startswith("::") else f" ::{section.type}::"
    return (
        f'<article class="{kind}" id="line-{stretch.line}">'
        f'<header><span class="where">line {stretch.line}{text(tag)}</span>{_numbers(results)}{badge(kind)}</header>'
        f"{_text(stretch)}</article>"
    )


def _numbers(results: Sequence[SectionResult]) -> str:
    named = len(results) > 1
    found = "".join(f'<span class="losses">{losses(one, named)}</span>{bar(one.gained)}' for one in results)
    return f'<span class="numbers">{found}</span>' if found else ""


def _text(stretch: Stretch) -> str:
    shown = stretch.text[:LONGEST_SECTION]
    rest = len(stretch.text) - len(shown)
    more = f'<p class="note">… and {rest:,} characters more.</p>' if rest else ""
    return f'<pre dir="auto">{text(shown)}</pre>{more}'


def _from_sources(record: RunRecord) -> str:
    """Sections that are not in the document itself, worst first."""
    own = {section.id for section in record.doc.sections}
    others = [result for result in (record.exam.sections if record.exam else ()) if result.section_id not in own]
    if not others:
        return ""
    named = len({result.adapter for result in others}) > 1
    worst = sorted(others, key=lambda result: result.gained)[:200]
    items = "".join(
        f"<li>{badge(kind_of([result], 'validation'))} {losses(result, named)} {own_direction(result.title)}</li>"
        for result in worst
    )
    more = f'<p class="note">{len(others) - len(worst)} more are not listed.</p>' if len(others) > len(worst) else ""
    return f"<h3>From sources: {len(others)} sections</h3><ul class='plain'>{items}</ul>{more}"
