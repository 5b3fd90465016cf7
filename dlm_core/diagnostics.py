"""Draw problems for people: the code, the place, the line of the document with a caret under it, and the way out."""

from __future__ import annotations

import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .api import DocumentError, Problem, Span

_TAB = "    "
#: Columns of the document shown round the caret.
_WINDOW = 100
#: Problems shown with their lines; what is beyond is told in one line each.
MOST_IN_FULL = 20
_COLORS = {"error": "1;31", "warning": "1;33", "rule": "1;34", "help": "1;36", "strong": "1"}


def render(error: DocumentError | Iterable[Problem], path: Path, text: str | None, *, color: bool) -> str:
    """Every problem with the line it is on, in the order of their places, then lines that count them and say how to
    go on.

    `text` is the document as read; without it, and for problems in other files, no source line is shown.  Of very
    many problems the last are told in one line each.
    """
    problems = sorted(error.problems if isinstance(error, DocumentError) else error, key=_order)
    lines = _lines(text) if text is not None else []
    full = len(problems) if len(problems) <= MOST_IN_FULL else MOST_IN_FULL
    blocks = [_block(problem, path, [] if problem.file else lines, color) for problem in problems[:full]]
    if rest := [one_line(problem, path, color=color) for problem in problems[full:]]:
        blocks.append("\n".join(rest))
    return "\n\n".join([*blocks, "\n".join(_ending(problems, path, color))])


def one_line(problem: Problem, path: Path, *, color: bool) -> str:
    """`file:line:col: error[CODE]: message (help)`: for lists, and for warnings in passing."""
    place = _clean(f"{problem.file or path}:{problem.span.line}:{problem.span.col}")
    message = _clean(" ".join(problem.message.split()))
    hint = f" ({_clean(problem.hint)})" if problem.hint else ""
    return f"{place}: {_paint(_tag(problem), problem.severity, color)}: {message}{hint}"


def _order(problem: Problem) -> tuple[bool, str, Span]:
    return (problem.file is not None, str(problem.file or ""), problem.span)


def _tag(problem: Problem) -> str:
    return f"{problem.severity}[{problem.code}]" if problem.code else problem.severity


def _ending(problems: Sequence[Problem], path: Path, color: bool) -> Iterator[str]:
    yield _paint(summary(problems), "strong", color)
    if count := sum(problem.fix is not None for problem in problems):
        which = "it" if len(problems) == 1 else "all of them" if count == len(problems) else f"{count} of them"
        yield f"`dlm check {shlex.quote(_clean(str(path)))} --fix` repairs {which}"
    if codes := sorted({problem.code for problem in problems if problem.code}):
        yield f"`dlm explain {codes[0]}` says more" + (", and so for every code" if len(codes) > 1 else "")


def summary(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`."""
    counts = Counter(problem.severity for problem in problems)
    parts = [f"{counts[kind]} {kind}{'s' * (counts[kind] != 1)}" for kind in ("error", "warning") if counts[kind]]
    return ", ".join(parts) or "no problems"


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _block(problem: Problem, path: Path, lines: list[str], color: bool) -> str:
    span = problem.span
    tag = _tag(problem)
    gutter = " " * len(str(span.line))
    place = _clean(f"{problem.file or path}:{span.line}:{span.col}")
    message = _clean(problem.message)
    out = [f"{_paint(tag, problem.severity, color)}{_paint(': ' + message, 'strong', color)}"]
    out.append(f"{gutter}{_paint('-->', 'rule', color)} {place}")
    bar = _paint("|", "rule", color)
    if 0 < span.line <= len(lines):
        shown, pad, width = _excerpt(lines[span.line - 1], span.col, span.width)
        number = _paint(str(span.line), "rule", color)
        out += [f"{gutter} {bar}", f"{number} {bar} {shown}".rstrip()]
        out.append(f"{gutter} {bar} {' ' * pad}{_paint('^' * width, problem.severity, color)}")
    if problem.hint:
        if 0 < span.line <= len(lines):
            out.append(f"{gutter} {bar}")
        out.append(f"{gutter} {_paint('=', 'rule', color)} {_paint('help', 'help', color)}: {_clean(problem.hint)}")
    return "\n".join(out)


def _excerpt(line: str, col: int, width: int) -> tuple[str, int, int]:
    """What to show of a line, the columns of the screen before the caret, and how many carets to draw."""
    start = min(col - 1, len(line))
    first = max(0, start - _WINDOW // 2) if len(line) > _WINDOW else 0
    last = min(len(line), first + _WINDOW)
    before, marked, after = line[first:start], line[start : min(start + width, last)], line[start + width : last]
    head = "…" if first else ""
    shown = head + _clean(before) + _clean(marked) + _clean(after) + ("…" if last < len(line) else "")
    return shown, _columns(head + _clean(before)), max(1, _columns(_clean(marked)))


def _clean(text: str) -> str:
    """Text that is safe to print: tabs as blanks, no control or direction-changing characters."""
    return "".join(_TAB if char == "\t" else "\ufffd" if _unprintable(char) else char for char in text)


def _unprintable(char: str) -> bool:
    # U+200D joins emoji and is harmless; the other format characters can reorder or hide text.
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or (
        unicodedata.category(char) == "Cf" and char != "\u200d"
    )


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_char_columns, text))


def _char_columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if color else text
