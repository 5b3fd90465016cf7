"""Split a section's content at headers such as `### Q`, for section types whose rows are made of named parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..api import Fix, Problem, Section, Span
from ..spelling import certain, closest
from .scan import LineCounter, inner_lines, line_pattern, outside_code


@dataclass(frozen=True, slots=True)
class Group:
    """One repetition of the headers: the first header's place and flag, and the text of every part."""

    span: Span
    flag: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Header:
    """`written` is how a misspelt header's name is written; empty for one that is as it must be."""

    name: str
    flag: str
    span: Span
    start: int
    text: int
    stop: int
    written: str = ""


#: What is found when a header is missing, or is not recognised.
_OUT_OF_ORDER = ("DLM0221", "DLM0223")
#: Words that people write for names of one letter.
_SPELT_OUT = {"Q": ("question",), "A": ("answer",)}
#: A line that may be meant as a header.
_LOOSE = line_pattern(r"[ \t]*(#{2,4}[ \t]*([A-Za-z]+):?)(?:[ \t]+(![^\n]*?))?[ \t]*$")


def split_groups(section: Section, names: Sequence[str], flags: Sequence[str] = ()) -> Iterator[Group | Problem]:
    """The groups of parts in a section, each part under its header, in the order of `names`.

    A header stands alone on its line outside code blocks; `flags` are the words that may follow the first one.
    Everything that is not so is yielded as a Problem, and the other groups still come.
    """
    found = list(_split(section, _headers(section, tuple(names)), names, flags))
    if any(isinstance(one, Problem) and one.code in _OUT_OF_ORDER for one in found):
        loose = _headers(section, tuple(names), loosely=True)
        read = list(_split(section, loose, names, flags))
        if not any(isinstance(one, Problem) and one.code in _OUT_OF_ORDER for one in read):
            yield from (_misspelt(header) for header in loose if header.written)
            found = read
    yield from found


def _split(
    section: Section, headers: list[_Header], names: Sequence[str], flags: Sequence[str]
) -> Iterator[Group | Problem]:
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
    message = f"text on the line of `### {header.name}`"
    close = closest(header.flag, flags) if " " not in header.flag else None
    if close:
        span = Span(header.span.line, header.span.col + header.span.width - len(header.flag), len(header.flag))
        sure = certain(header.flag, flags)
        hint = f"did you mean `### {header.name} {close}`?"
        return Problem(span, message, hint, code="DLM0222", fix=Fix(span, sure) if sure else None)
    allowed = f", or {' or '.join(f'`### {header.name} {flag}`' for flag in flags)}" if flags else ""
    hint = f"write `### {header.name}` alone on its line{allowed}, and the text below"
    return Problem(header.span, message, hint, code="DLM0222")


def _misspelt(header: _Header) -> Problem:
    flag = f" {header.flag}" if header.flag else ""
    meant = f"### {header.name}{flag}"
    fix = Fix(header.span, meant)
    return Problem(header.span, f"`{header.written}` is not a header here", f"write `{meant}`", code="DLM0226", fix=fix)


def _order(names: Sequence[str]) -> str:
    return "write " + ", ".join(f"`### {name}`" for name in names) + " in this order, each with text under it"


@lru_cache(maxsize=16)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(map(re.escape, names))
    return line_pattern(rf"[ \t]*(###[ \t]+({either}))(?:[ \t]+([^\n]*?))?[ \t]*$")


def _meant(word: str, names: Sequence[str]) -> str | None:
    """The header that a word is meant as: in other capitals, spelt out, or one edit away."""
    low = word.casefold()
    exact = (name for name in names if low in (name.casefold(), *_SPELT_OUT.get(name, ())))
    return next(exact, None) or certain(word, names)


def _headers(section: Section, names: tuple[str, ...], *, loosely: bool = False) -> list[_Header]:
    """The headers outside code blocks; the text of each runs from `text` to `stop`, where the next one starts.

    `loosely` takes misspelt ones too.
    """
    content = section.content
    text = "\n" + content  # so that the first line begins after a line end, as every other does
    lines = LineCounter(content, 0, 0)
    pattern = _LOOSE if loosely else _pattern(names)
    found = [match for _, match, unclosed in outside_code(text, 0, len(text), pattern) if not unclosed]
    meant = [(match, _meant(match[2], names) if loosely else match[2]) for match in found]
    matches = [(match, name) for match, name in meant if name]
    stops = [*(match.start() for match, _ in matches[1:]), len(content)]
    headers = []
    for (match, name), stop in zip(matches, stops, strict=False):
        at = match.start()
        span = section.at(lines.at(at), match.start(1) - at, len(match[0].strip()))
        written = match[1] if loosely and match[1] != f"### {name}" else ""
        headers.append(_Header(name, (match[3] or "").strip(), span, at, min(match.end(), stop), stop, written))
    return headers
