"""Sections to rows: whose rows they are, which adapters they belong to, and which side of the split they fall on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..api import Document, DocumentError, Problem, Row, Section, SectionType, Span
from ..files import shown_path

if TYPE_CHECKING:
    from ..plugins import Plugins

#: The code of a plugin's own fault.
PLUGIN_FAILED = "DLM0306"

#: A document with fewer rows to train on keeps every one of them.
MIN_ROWS_TO_SPLIT = 20


def build_rows(document: Document, sections: Iterable[Section], plugins: Plugins) -> tuple[Row, ...]:
    """The rows of all sections, in their order.  Raises DocumentError with every problem of every section."""
    rows, problems = collect_rows(document, sections, plugins)
    if any(problem.severity == "error" for problem in problems):
        raise DocumentError(document.path, problems)
    return tuple(rows)


def collect_rows(document: Document, sections: Iterable[Section], plugins: Plugins) -> tuple[list[Row], list[Problem]]:
    """Like `build_rows`, but the problems, warnings among them, are returned."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for section in sections:
        kind = plugins.section_types.get(section.type)
        if kind is None:
            unknown = Problem(section.span, f"unknown section type `{section.type}`", code="DLM0201")
            problems.append(_placed(unknown, section, document))
            continue
        adapters = adapters_for(section, kind, document)
        index = 0
        for found in _rows_of(section, kind, document, plugins):
            if isinstance(found, Problem):
                problems.append(_placed(found, section, document))
                continue
            span, source_line = _place_of(found.span, section)
            rows.append(
                replace(
                    found,
                    span=span,
                    section_id=section.id,
                    section_type=section.type,
                    index=index,
                    adapters=adapters,
                    source=section.source,
                    source_line=source_line,
                )
            )
            index += 1
    return rows, problems


def adapters_for(section: Section, kind: SectionType, document: Document) -> tuple[str, ...]:
    """The adapters a section's rows belong to: the one it names, every one, or the first that is declared."""
    if section.adapter is not None:
        return (section.adapter,)
    declared = tuple((document.config.get("training") or {}).get("adapters") or ("default",))
    return declared if kind.to_every_adapter else declared[:1]


def is_validation(seed: int, section_id: str, index: int) -> bool:
    """Whether a row is only measured: one row in ten, by a hash, so that a row's side never changes."""
    digest = hashlib.sha256(f"{seed}\n{section_id}\n{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * 10 < 2**64


def split_rows(rows: Sequence[Row], seed: int) -> tuple[tuple[Row, ...], tuple[Row, ...], tuple[Row, ...]]:
    """The rows to train on, those only measured, and those only asked in the exam."""
    exam_only = tuple(row for row in rows if row.role == "exam")
    others = [row for row in rows if row.role != "exam"]
    if len(others) < MIN_ROWS_TO_SPLIT:
        return tuple(others), (), exam_only
    aside = [row.role == "train" and is_validation(seed, row.section_id, row.index) for row in others]
    train = tuple(row for row, measured in zip(others, aside, strict=True) if not measured)
    validation = tuple(row for row, measured in zip(others, aside, strict=True) if measured)
    return train, validation, exam_only


def with_their_files(sections: Iterable[Section], told: Iterable[Problem]) -> Iterator[Section]:
    """The sections that may have rows: all but those whose media file was told to be missing."""
    missing = {problem.span for problem in told if problem.code == "DLM0215"}
    return (section for section in sections if section.source or section.span not in missing)


def _rows_of(section: Section, kind: SectionType, document: Document, plugins: Plugins) -> Iterator[Row | Problem]:
    try:
        for found in kind.rows(section, document):
            if not isinstance(found, Row | Problem) or not isinstance(found.span, Span):
                raise TypeError(f"it gave {found!r:.60}, not a row or a problem with its place")
            yield found
    except ValueError as error:
        yield Problem(section.span, str(error) or f"`::{section.type}::` cannot be read", code="DLM0225")
    except Exception as error:
        owner = plugins.section_types.owner(section.type).label
        what = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"the section type `{section.type}` of plugin {owner} failed: {what}"
        yield Problem(section.span, message, "report this to the plugin's author", code=PLUGIN_FAILED)


def _place_of(span: Span, section: Section) -> tuple[Span, int]:
    """A row's place in the document, and its line in the file of a source whose reader tells lines."""
    if not section.source:
        return span, 0
    inside = span if span != section.span else section.at(0)
    return section.span, inside.line if section.tells_lines else 0


def _placed(problem: Problem, section: Section, document: Document) -> Problem:
    """The problem with a code and, in a source, with the file it is in; at the source when its line is not known."""
    problem = replace(problem, code=problem.code or "DLM0225")
    if not section.source or problem.file:
        return problem
    if not section.tells_lines:
        return replace(problem, span=section.span, message=f"{section.source}: {problem.message}")
    span = problem.span if problem.span != section.span else section.at(0)
    return replace(problem, span=span, file=shown_path(section.file or section.source, document.path))
