"""Make the repairs that problems carry, in a document's bytes: what no repair covers keeps every byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .api import DocumentError, Fix, Problem
from .plugins import Plugins

_BOM = b"\xef\xbb\xbf"

#: Repairs can bring others to light: a line that becomes a fence opens a section.
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Fixed:
    """A document's bytes before and after, and the problems that were repaired, in the order of their repair."""

    before: bytes
    after: bytes
    problems: tuple[Problem, ...]


def fixable(problems: Iterable[Problem]) -> int:
    """How many of the problems `dlm check --fix` repairs."""
    return sum(problem.fix is not None for problem in problems)


def fix_bytes(data: bytes, find: Callable[[bytes], Iterable[Problem]]) -> Fixed:
    """Repair what `find` finds, again and again until it finds nothing to repair.

    A round that does not lower the number of problems with a repair ends the work.
    """
    after, repaired = data, []
    found = [problem for problem in find(data) if problem.fix]
    for _ in range(_MOST_ROUNDS):
        chosen = _apart(found)
        if not chosen:
            break
        made = apply_fixes(after, [problem.fix for problem in chosen if problem.fix])
        left = [problem for problem in find(made) if problem.fix]
        if made == after or {_key(problem) for problem in chosen} <= {_key(problem) for problem in left}:
            break
        after, found = made, left
        repaired += chosen
    return Fixed(data, after, tuple(repaired))


def apply_fixes(data: bytes, fixes: Iterable[Fix]) -> bytes:
    """The bytes with the repairs made.  They must not overlap; every line end stays as it is."""
    from .editing.lines import Change, apply, plain

    text, changes, bom = plain(data), [], False
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    for fix in fixes:
        if fix.span.col == 0:
            bom = True
            continue
        start = starts[fix.span.line - 1] + fix.span.col - 1
        changes.append(Change(start, start + fix.span.width, fix.text))
    made = apply(data, changes)
    return made.removeprefix(_BOM) if bom else made


def problems_of(path: Path, plugins: Plugins) -> Callable[[bytes], tuple[Problem, ...]]:
    """What finds the problems of a document's bytes as if they were in the file at `path`."""
    from .api.errors import UntrustedError
    from .checking import check_bytes

    def find(data: bytes) -> tuple[Problem, ...]:
        try:
            return check_bytes(data, path, plugins).doc.warnings
        except DocumentError as error:
            return error.problems
        except UntrustedError:
            return ()

    return find


def _apart(problems: Iterable[Problem]) -> list[Problem]:
    """The problems whose repairs touch different places, first come first served."""
    chosen: list[Problem] = []
    taken: dict[int, int] = {}  # line -> the column behind the last repair on it
    for problem in sorted((p for p in problems if p.fix), key=lambda p: p.fix.span if p.fix else p.span):
        assert problem.fix is not None
        span = problem.fix.span
        if span.col >= taken.get(span.line, 0):
            chosen.append(problem)
            taken[span.line] = span.col + max(span.width, 1)
    return chosen


def _key(problem: Problem) -> tuple[object, ...]:
    return (problem.code, problem.span, problem.fix)
