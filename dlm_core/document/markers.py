"""Provenance markers: HTML comments on the first lines of a section that say where it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from math import isfinite

from ..api import Marker, Problem, Span
from .scan import inner_lines

_MARKER = re.compile(r"<!--[ \t]*(dlm-[a-z][a-z0-9-]*)[ \t]*:[ \t]*(.*?)[ \t]*-->[ \t]*$", re.MULTILINE)
_OPENING = re.compile(r"<!--[ \t]*(dlm-auto-(?:mined|synth|harvest))\b[^\n]*")
_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="([^"\n]*)"(?:[ \t]+|$)')
_HINT = 'a marker is one line: <!-- name: key="value" key="value" -->'
_ID = re.compile(r"[0-9a-f]{16}")
_INTEGER = re.compile(r"[0-9]{1,18}")


def _text(value: str) -> str | None:
    return None if value.strip() else "must not be empty"


def _score(value: str) -> str | None:
    try:
        return None if isfinite(float(value)) else "must be a finite number"
    except ValueError:
        return "must be a finite number"


def _time(value: str) -> str | None:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "must be an ISO 8601 time such as 2026-04-23T18:42:11Z"
    return None


def _run(value: str) -> str | None:
    return None if _INTEGER.fullmatch(value) and int(value) >= 1 else "must be a whole number from 1 on"


def _section(value: str) -> str | None:
    return None if _ID.fullmatch(value) else "must be 16 lowercase hex digits"


#: Each known marker's keys, and what says whether a value will do.
KNOWN: Mapping[str, Mapping[str, Callable[[str], str | None]]] = {
    "dlm-auto-mined": {
        "judge_name": _text,
        "judge_score_chosen": _score,
        "judge_score_rejected": _score,
        "mined_at": _time,
        "mined_run_id": _run,
    },
    "dlm-auto-synth": {
        "synth_teacher": _text,
        "synth_strategy": _text,
        "synth_at": _time,
        "source_section_id": _section,
    },
    "dlm-auto-harvest": {"source": _text},
}


def take_markers(
    text: str, start: int, end: int, line: int, allowed: frozenset[str]
) -> tuple[list[Marker], list[Problem], int]:
    """The markers that open a section, what is wrong with them, and the offset behind them.

    `start` begins line `line`.  A comment that is neither a known marker nor in `allowed` is text.
    """
    markers: list[Marker] = []
    problems: list[Problem] = []
    while True:
        first, _ = inner_lines(text, start, end)
        found = _MARKER.match(text, first, end) if text.startswith("<!--", first) else None
        if found is None or (found[1] not in KNOWN and found[1] not in allowed):
            if found is None and (broken := _OPENING.match(text, first, end)):
                span = Span(line + text.count("\n", start, first), 1, len(broken[0]))
                problems.append(Problem(span, f"`{broken[1]}` marker is not closed on its line", _HINT, code="DLM0210"))
            return markers, problems, start
        line += text.count("\n", start, first)
        span = Span(line, 1, len(found[0].rstrip()))
        marker = Marker(found[1], dict(_PAIR.findall(found[2])), span)
        problems += _marker_problems(marker, found[2], allowed)
        markers.append(marker)
        start, line = min(found.end() + 1, end), line + 1


def _marker_problems(marker: Marker, written: str, allowed: frozenset[str]) -> Iterator[Problem]:
    if marker.name not in allowed:
        yield Problem(marker.span, f"a `{marker.name}` marker does not belong in this type of section", code="DLM0211")
        return
    for message in _faults(marker, written):
        yield Problem(marker.span, f"`{marker.name}` marker: {message}", code="DLM0210")


def _faults(marker: Marker, written: str) -> Iterator[str]:
    names = [name for name, _ in _PAIR.findall(written)]
    if _PAIR.sub("", written).strip():
        yield 'only key="value" pairs may stand in it'
    yield from (f"`{name}` is repeated" for name in dict.fromkeys(names) if names.count(name) > 1)
    rules = KNOWN.get(marker.name)
    if rules is None:
        return
    yield from (f"unknown key `{name}`; known: {', '.join(rules)}" for name in marker.values if name not in rules)
    for name, rule in rules.items():
        if name not in marker.values:
            yield f"`{name}` is missing"
        elif fault := rule(marker.values[name]):
            yield f"`{name}` {fault}"
