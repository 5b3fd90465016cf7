"""What holds for any bytes: a document or its problems, every place inside the text, the same twice, cheap."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from dlm_core import hookimpl
from dlm_core.api import Attr, Document, DocumentError, Problem, Row, Section, SectionType, Span, text_row
from dlm_core.diagnostics import render
from dlm_core.document import collect_rows, parse_document
from dlm_core.document.headers import Group, split_groups
from dlm_core.document.markers import KNOWN
from dlm_core.plugins import Plugins

HERE = Path("/nowhere/notes.dlm")
CPU_LIMIT = 2.0  # seconds for one input of 4 kB, on a slow machine with coverage on: several hundred times the usual
SWELL = 32
SWELL_LIMIT = 10.0


class Picture(SectionType):
    name = "picture"
    attrs = {"path": Attr(required=True), "alt": Attr()}  # noqa: RUF012
    body = "optional"

    def rows(self, section: Section, doc: Document) -> Iterable[Row]:
        yield text_row(section.content, section.span)

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        return [("picture", section.attrs["path"])]


class Break(SectionType):
    name = "break"
    body = "forbidden"

    def rows(self, section: Section, doc: Document) -> Iterable[Row]:
        return ()


class Choice(SectionType):
    """Three headers, a flag, and every marker there is."""

    name = "choice"
    attrs = {"seen": Attr()}  # noqa: RUF012
    markers = frozenset(KNOWN)

    def rows(self, section: Section, doc: Document) -> Iterable[Row | Problem]:
        for found in split_groups(section, ("Prompt", "Chosen", "Rejected"), ("!exam",)):
            yield text_row("\n".join(found.parts), found.span) if isinstance(found, Group) else found


class FuzzPlugin:
    @hookimpl
    def dlm_section_types(self) -> Iterable[SectionType]:
        return [Picture(), Break(), Choice()]


def all_plugins() -> Plugins:
    """Every plugin installed here, and section types that use what those may not."""
    plugins = Plugins.load()
    plugins.register(FuzzPlugin(), "fuzz")
    return plugins


def check(data: bytes, plugins: Plugins) -> None:
    """Raise what parsing these bytes should not have raised, or AssertionError for what should hold and does not."""
    start = time.process_time()
    outcome = _parse(data, plugins)
    _check_places(outcome, data, plugins)
    twin = data if b"\r" in data else data.replace(b"\n", b"\r\n")
    assert _shape(_parse(twin, plugins)) == _shape(outcome), "line ends decide what is read"
    assert time.process_time() - start < CPU_LIMIT, "slow"
    if zlib.crc32(data) % 256 == 0:
        _check_swollen(data, plugins)


def _parse(data: bytes, plugins: Plugins) -> Document | tuple[Problem, ...]:
    """The document, after its rows are built, or the problems of one that is refused."""
    try:
        document = parse_document(data, HERE, plugins)
    except DocumentError as refused:
        assert any(problem.severity == "error" for problem in refused.problems)  # noqa: PT017
        return refused.problems
    _, problems = collect_rows(document, document.sections, plugins)
    assert all(problem.severity == "warning" for problem in document.warnings)
    return tuple(problems) or document


def _check_places(outcome: Document | tuple[Problem, ...], data: bytes, plugins: Plugins) -> None:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    problems = outcome.warnings if isinstance(outcome, Document) else outcome
    for problem in problems:
        _check_span(problem.span, lines)
        assert problem.code in plugins.explanations, problem.code
        assert len(problem.message) < 1000
        assert "\n" not in problem.message
    shown = render(problems, HERE, data.decode("utf-8", "replace"), color=False)
    assert not any(char < " " and char != "\n" for char in shown), "a control character reaches the terminal"
    if isinstance(outcome, Document):
        for span in (*outcome.spans.values(), *outcome.values.values()):
            _check_span(span, lines)
        for section in outcome.sections:
            _check_section(section, lines)


def _check_span(span: Span, lines: list[str]) -> None:
    assert 1 <= span.line <= len(lines), span
    assert 1 <= span.col <= len(lines[span.line - 1]) + 1, span
    assert span.width >= 1, span


def _check_section(section: Section, lines: list[str]) -> None:
    _check_span(section.span, lines)
    written = section.content.split("\n")
    if section.content:
        first = section.content_line - 1
        assert lines[first : first + len(written)] == written, "the content is not at its line"
    assert len(section.id) == 16
    assert all(1 <= marker.span.line <= len(lines) for marker in section.markers)


def _shape(outcome: Document | tuple[Problem, ...]) -> Any:
    """What two readings of one document must agree on."""
    if isinstance(outcome, Document):
        sections = [astuple(section) for section in outcome.sections]
        return sections, outcome.config, outcome.spans, outcome.values, outcome.warnings
    return [problem for problem in outcome if problem.code != "DLM0213"]  # it tells an offset in bytes


def _check_swollen(data: bytes, plugins: Plugins) -> None:
    """Many times the text may cost many times as much, and no more."""
    start = time.process_time()
    head, mark, body = data.partition(b"\n---\n")
    for swollen in (head + mark + body * SWELL, head * SWELL + mark + body):
        _parse(swollen, plugins)
    assert time.process_time() - start < SWELL_LIMIT, "slow when long"
