"""Globs of `training.sources` and `.dlm/training.yaml`, with `/` between names (FORMAT §4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from .wildmatch import ANYTHING, FOLDERS, NAME, assemble

#: More globs than one with braces may stand for.
MOST_CHOICES = 1000

_WILD = re.compile(r"[*?\[{]")
_STARS = re.compile(r"\*\*+/?|\*")


class Globs:
    """Patterns made ready, as one expression: `find` says which pattern matches a file, or closes a folder."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self.patterns = patterns
        self.everything = "**/*" in patterns or "**" in patterns
        self._file = _join(patterns)
        self._folder = _join(tuple(_for_folders(pattern) for pattern in patterns))

    def matches(self, path: str) -> bool:
        """Whether a file's path matches any pattern."""
        return self.everything or self._file(path) is not None

    def find_file(self, path: str) -> str | None:
        """The first pattern that matches a file's path."""
        found = self._file(path)
        return self.patterns[found.lastindex - 1] if found and found.lastindex else None

    def find_folder(self, path: str) -> str | None:
        """The first pattern that matches everything there can be below a folder."""
        found = self._folder(f"{path}/")
        return self.patterns[found.lastindex - 1] if found and found.lastindex else None


@lru_cache(maxsize=256)
def compile_globs(patterns: tuple[str, ...]) -> Globs:
    """Patterns made ready: `*` and `?` stay inside a name, `**/` spans folders, `[ab]`, `[!ab]`, `{a,b}`.

    A pattern whose last name has no wildcard closes a folder of that name too, and so does one that ends in `/`.
    Raises ValueError for a pattern that stands for too many others.
    """
    return Globs(patterns)


def _for_folders(pattern: str) -> str:
    """The pattern that matches `folder/` when the given one matches all below it; an impossible one otherwise."""
    if pattern.endswith(("/**", "/**/*")) or pattern in ("**", "**/*"):
        return pattern
    last = pattern.rstrip("/").rpartition("/")[2]
    if pattern.endswith("/") or not (_WILD.search(last) or "}" in last):
        return f"{pattern.rstrip('/')}/"
    return "\0"


def _join(patterns: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    """One expression with a group for each pattern."""
    expression = "|".join(f"({'|'.join(map(_translate, _without_braces(pattern)))})" for pattern in patterns)
    return re.compile(expression or r"(?!)", re.DOTALL).fullmatch


def _without_braces(pattern: str) -> list[str]:
    """All that `{a,b}` stands for.  Raises ValueError when that is more than can be meant."""
    done: list[str] = []
    todo = [pattern]
    while todo:
        text = todo.pop()
        found = _innermost(text)
        if found is None:
            done.append(text)
            continue
        start, end = found
        todo += [text[:start] + choice + text[end:] for choice in text[start + 1 : end - 1].split(",")]
        if len(done) + len(todo) > MOST_CHOICES:
            raise ValueError(f"the glob {pattern[:60]!r} stands for more than {MOST_CHOICES} globs")
    return done


def _innermost(text: str) -> tuple[int, int] | None:
    """The first pair of braces without another inside, from its `{` to behind its `}`."""
    end = text.find("}")
    while end >= 0:
        if (start := text.rfind("{", 0, end)) >= 0:
            return start, end + 1
        end = text.find("}", end + 1)
    return None


def _translate(pattern: str) -> str:
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        found = _STARS.match(pattern, at)
        if found is None:
            token, at = _single(pattern, at)
            tokens.append(token)
        elif found[0] == "*":
            tokens.append(NAME)
            at += 1
        elif found[0].endswith("/") and (at == 0 or pattern[at - 1] == "/"):
            tokens.append(FOLDERS)
            at = found.end()
        else:
            tokens.append(ANYTHING)
            at = found.end() - found[0].endswith("/")
    return assemble(tokens)


def _single(pattern: str, at: int) -> tuple[str, int]:
    """The expression for one character's worth of pattern, and where the next starts."""
    char = pattern[at]
    if char == "?":
        return "[^/]", at + 1
    if char == "[" and (end := pattern.find("]", at + 2)) > 0:
        return _bracket(pattern[at + 1 : end]), end + 1
    return ("/" if char == "/" else re.escape(char)), at + 1


def _bracket(inside: str) -> str:
    """`ab`, `a-z`, `!ab`, `^ab`; a range that runs backwards holds nothing."""
    negated = inside[0] in "!^" and len(inside) > 1
    letters = re.escape(inside[1:] if negated else inside).replace("\\-", "-")
    try:
        re.compile(f"[{letters}]")
    except re.error:
        return "(?!)"
    return f"[^/{letters}]" if negated else f"(?!/)[{letters}]"
