"""`dlm show --learned`: how well each section was learned, beside the document as it is now."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..plugins import Plugins
from .terminal import console, print_json

if TYPE_CHECKING:
    from ..api import Document, Section
    from ..exam import Exam, SectionResult
    from ..store import Version

Status = Literal["same", "changed", "new", "removed", "source"]

_BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Learned:
    """A section and what the exam found of it; one for each adapter.  `result` is None where nothing was measured."""

    line: int
    tag: str
    id: str
    title: str
    status: Status
    result: SectionResult | None

    def to_json(self) -> dict[str, Any]:
        result = self.result
        found = {
            "line": self.line,
            "section": self.tag,
            "id": self.id,
            "title": self.title,
            "status": self.status,
        }
        if result is None:
            return {**found, "verdict": None}
        return {
            **found,
            "adapter": result.adapter,
            "trained": result.trained,
            "tokens": result.tokens,
            "measure": result.measure,
            "before": result.before,
            "after": result.after,
            "verdict": result.verdict,
        }


def show_learned(plugins: Plugins, document: Path, number: int | None, as_json: bool) -> None:
    """Print every section with its verdict, then the questions that were missed."""
    from ..document import read_document
    from ..exam import Exam
    from ..store import open_store

    doc = read_document(document, plugins)
    store = open_store(doc.id)
    version = store.version(number) if number is not None else store.current()
    exam = Exam.from_json(dict(version.manifest["exam"])) if version else None
    sections = list(join(doc, version.manifest["sections"] if version else (), exam))
    report = store.reports().get(version.run) if version else None
    if as_json:
        missed = (
            [{**answer, "exact": False} for answer in exam.to_json()["answers"] if not answer["exact"]] if exam else []
        )
        about = {"document": str(document), "version": version.number if version else None, "report": report}
        print_json("learned", {**about, "sections": [one.to_json() for one in sections], "missed": missed})
        return
    _print(document, version, sections, exam)
    if report:
        console().print(f"report  {report}", style="dim", soft_wrap=True, markup=False)


def join(doc: Document, then: Sequence[str], exam: Exam | None) -> Iterator[Learned]:
    """The sections of now with the results of then: by their ids, and where one was edited by its place.

    `then` are the section ids of the version, in order.  Sections that are gone come last, then those of sources.
    """
    results: dict[str, list[SectionResult]] = defaultdict(list)
    for result in exam.sections if exam else ():
        results[result.section_id].append(result)
    now = [section.id for section in doc.sections]
    gone: list[str] = []
    for kind, start, end, first, last in SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        before = list(then[start:end])
        for offset, section in enumerate(doc.sections[first:last]):
            old = before[offset] if offset < len(before) else section.id
            status: Status = "same" if kind == "equal" else "changed" if offset < len(before) else "new"
            if status == "changed" and section.id in results:
                old, status = section.id, "same"  # only moved
            yield from _with_results(section, status, results[old])
        gone += before[last - first :]
    yield from (_alone(result, "removed") for one in gone if one not in now for result in results[one])
    others = set(results) - set(then)
    yield from (_alone(result, "source") for result in (exam.sections if exam else ()) if result.section_id in others)


def _with_results(section: Section, status: Status, results: Sequence[SectionResult]) -> Iterator[Learned]:
    tag = f"::{section.type}{'#' + section.adapter if section.adapter else ''}::"
    lines = (line.strip() for line in section.content.split("\n"))
    title = next((line for line in lines if line and not line.startswith("###")), "")
    for result in results or (None,):
        yield Learned(section.span.line, tag, section.id, title, status, result)


def _alone(result: SectionResult, status: Status) -> Learned:
    return Learned(result.line, f"::{result.type}::", result.section_id, result.title, status, result)


def bar(share: float, width: int = 8) -> str:
    """The share of what was to be learned that was, 0 to 1, as a bar of blocks."""
    full, part = divmod(round(share * width * 8), 8)
    return ("█" * full + (_BLOCKS[part] if part else "")).ljust(width)


def _print(document: Path, version: Version | None, sections: Sequence[Learned], exam: Exam | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from .summary import print_missed

    out = console()
    if version is None:
        name = shlex.quote(str(document))
        out.print(f"never trained; train it: dlm run {name}", style="dim", soft_wrap=True, markup=False)
    else:
        out.print(f"[bold]version {version.number}[/] of {escape(str(document))}, {version.created}", soft_wrap=True)
    named = len({one.result.adapter for one in sections if one.result}) > 1
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("line", "section", *(["adapter"] if named else []), "tokens", "before", "after", "learned"):
        table.add_column(name, justify="right" if name in ("line", "tokens", "before", "after") else "left")
    for one in sections:
        result = one.result
        numbers = (str(result.tokens), *result.texts) if result else ("", "", "")
        adapter = [result.adapter if result else ""] if named else []
        title = escape(f"{one.tag} {_cut(one.title)}")
        line = "" if one.status in ("removed", "source") else str(one.line)
        table.add_row(line, title, *adapter, *numbers, _verdict(one, version))
    out.print(table)
    if exam:
        print_missed([answer for answer in exam.answers if not answer.exact])


def _verdict(one: Learned, version: Version | None) -> str:
    from .summary import MARKS

    if one.result is None:
        if one.status == "new" or version is None:
            return "[dim]not trained yet[/]"
        return f"[dim]changed since version {version.number}[/]" if one.status == "changed" else "[dim]not measured[/]"
    share = f"{bar(one.result.gained)} "
    said = share + (MARKS[one.result.verdict] if one.result.trained else "[dim]held out[/]")
    words = {"changed": "changed since", "removed": "removed since"}.get(one.status)
    if words and version:
        return f"{said} [yellow]({words} version {version.number})[/]"
    return f"{said} [dim](from a source)[/]" if one.status == "source" else said


def _cut(title: str, width: int = 44) -> str:
    return title if len(title) <= width else title[: width - 1] + "…"
