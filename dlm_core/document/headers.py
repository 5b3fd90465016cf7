"""Split a section's content at headers such as `### Q`, for section types whose rows are made of named parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..api import Problem, Section, Span
from .scan import LineCounter, inner_lines, line_pattern, outside_code


@dataclass(frozen=True, slots=True)
class Group:
    """One repetition of the headers: the first header's place and flag, and the text of every part."""

    span: Span
    flag: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    flag: str
    span: Span
    start: int
    text: int
    stop: int


def split_groups(section: Section, names: Sequence[str], flags: Sequence[str] = ()) -> Iterator[Group | Problem]:
    """The groups of parts in a section, each part under its header, in the order of `names`.

    A header stands alone on its line outside code blocks; `flags` are the words that may follow the first one.
    Everything that is not so is yielded as a Problem, and the other groups still come.
    """
    headers = _headers(section, tuple(names))
    yield from _text_before(section, headers[0].start if headers else len(section.content), names[0])
    group: list[_Header] = []
    for header in headers:
        if header.flag and (header.flag not in flags or header.name != names[0]):
            yield _beside(header, flags if header.name == names[0] else ())
        expected = names[len(group) % len(names)]
        if header.name != expected:
            yield from _unfinished(group, names)
            group = []
            if header.name != names[0]:
                before = names[names.index(header.name) - 1]
                message = f"`### {header.name}` without `### {before}` before it"
                yield Problem(header.span, message, _order(names), code="DLM0223")
                continue
        group.append(header)
        if len(group) == len(names):
            yield from _finished(section, group)
            group = []
    yield from _unfinished(group, names)


def _finished(section: Section, group: list[_Header]) -> Iterator[Group | Problem]:
    parts = []
    for header in group:
        begin, end = inner_lines(section.content, header.text, header.stop)
        parts.append(section.content[begin:end])
        if not parts[-1] or parts[-1].isspace():
            yield Problem(header.span, f"`### {header.name}` has no text under it", code="DLM0224")
    if all(part and not part.isspace() for part in parts):
        yield Group(group[0].span, group[0].flag, tuple(parts))


def _unfinished(group: list[_Header], names: Sequence[str]) -> Iterator[Problem]:
    if group:
        missing = names[len(group)]
        message = f"`### {group[-1].name}` is not followed by `### {missing}`"
        yield Problem(group[-1].span, message, _order(names), code="DLM0223")


def _text_before(section: Section, end: int, name: str) -> Iterator[Problem]:
    begin, stop = inner_lines(section.content, 0, end)
    if begin < stop:
        line = section.content.count("\n", 0, begin)
        width = len(section.content[begin:stop].partition("\n")[0])
        yield Problem(
            section.at(line, 1, width),
            f"text before the first `### {name}`",
            f"start with a line `### {name}`, or put this text into a `::prose::` section",
            code="DLM0221",
        )


def _beside(header: _Header, flags: Sequence[str]) -> Problem:
    allowed = f", or {' or '.join(f'`### {header.name} {flag}`' for flag in flags)}" if flags else ""
    hint = f"write `### {header.name}` alone on its line{allowed}, and the text below"
    return Problem(header.span, f"text on the line of `### {header.name}`", hint, code="DLM0222")


def _order(names: Sequence[str]) -> str:
    return "write " + ", ".join(f"`### {name}`" for name in names) + " in this order, each with text under it"


@lru_cache(maxsize=16)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(map(re.escape, names))
    return line_pattern(rf"[ \t]*(###[ \t]+({either}))(?:[ \t]+([^\n]*?))?[ \t]*$")


def _headers(section: Section, names: tuple[str, ...]) -> list[_Header]:
    """The headers outside code blocks; the text of each runs from `text` to `stop`, where the next one starts."""
    content = section.content
    text = "\n" + content  # so that the first line begins after a line end, as every other does
    lines = LineCounter(content, 0, 0)
    matches = [found for _, found, unclosed in outside_code(text, 0, len(text), _pattern(names)) if not unclosed]
    stops = [*(found.start() for found in matches[1:]), len(content)]
    headers = []
    for found, stop in zip(matches, stops, strict=False):
        at = found.start()
        span = section.at(lines.at(at), found.start(1) - at, len(found[0].strip()))
        headers.append(_Header(found[2], (found[3] or "").strip(), span, at, min(found.end(), stop), stop))
    return headers
