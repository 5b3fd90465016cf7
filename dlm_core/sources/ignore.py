"""Ignore files: gitignore rules, read and matched exactly as git does (dir.c of git 2.39)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .wildmatch import translate

_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One line: `text` as it stands, without the line's end; `keeps` when it began with `!`."""

    text: str
    line: int
    pattern: str
    keeps: bool
    folders_only: bool

    @property
    def on_name(self) -> bool:
        """Whether the rule is about names anywhere below its folder, not about paths from there."""
        return "/" not in self.pattern


class Ignore:
    """The rules of one file.  Paths given to `match` start at the folder the file is about."""

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        self.rules = read_rules(data)

    def match(self, name: str, path: str, is_folder: bool) -> IgnoreRule | None:
        """The last rule that matches, or None.  `path` ends in `name`; both are Latin-1 readings, see `as_bytes`."""
        return (self._for_folders if is_folder else self._for_files).match(name, path)

    @cached_property
    def _for_folders(self) -> _Compiled:
        return _Compiled(self.rules)

    @cached_property
    def _for_files(self) -> _Compiled:
        return _Compiled([rule for rule in self.rules if not rule.folders_only])


def as_bytes(name: str) -> str:
    """A file name with one character for each of its bytes."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("latin-1")


def read_rules(data: bytes) -> list[IgnoreRule]:
    """The rules in an ignore file's bytes, in order."""
    rules = []
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1").split("\n")
    for number, line in enumerate(lines, 1):
        text = _without_trailing_blanks(line.removesuffix("\r").partition("\0")[0])
        if not text or text.startswith("#"):
            continue
        keeps = text.startswith("!")
        pattern = text[keeps:]
        folders_only = pattern.endswith("/")
        pattern = pattern.removesuffix("/")
        if pattern:
            shown = text.encode("latin-1").decode("utf-8", "replace")
            rules.append(IgnoreRule(shown, number, pattern, keeps, folders_only))
    return rules


def _without_trailing_blanks(text: str) -> str:
    """Blanks at the end count only behind a backslash; a tab always does."""
    kept = len(text.rstrip(" "))
    slashes = kept - len(text[:kept].rstrip("\\"))
    return text[: kept + 1] if slashes % 2 else text[:kept]


class _Compiled:
    """Rules made ready: names looked up, endings compared, all else in one expression, the last rule first."""

    def __init__(self, rules: list[IgnoreRule]) -> None:
        self.rules = rules
        self.names: dict[str, int] = {}
        endings: dict[str, int] = {}
        by_name: list[tuple[int, str]] = []
        by_path: list[tuple[int, str]] = []
        for number, rule in enumerate(rules):
            pattern = rule.pattern
            if not rule.on_name:
                if expression := translate(pattern.removeprefix("/")):
                    by_path.append((number, expression))
            elif not _WILD.search(pattern):
                self.names[pattern] = number
            elif pattern[0] == "*" and not _WILD.search(pattern, 1):
                endings[pattern[1:]] = number
            elif expression := translate(pattern):
                by_name.append((number, expression))
        self.endings = tuple(endings)
        self.ending_numbers = tuple(endings.items())
        self.name_numbers, self.name_match = _join(by_name)
        self.path_numbers, self.path_match = _join(by_path)

    def match(self, name: str, path: str) -> IgnoreRule | None:
        best = self.names.get(name, -1)
        if self.endings and name.endswith(self.endings):
            best = max(best, *(number for ending, number in self.ending_numbers if name.endswith(ending)))
        if self.name_numbers and (found := self.name_match(name)):
            best = max(best, self.name_numbers[(found.lastindex or 0) - 1])
        if self.path_numbers and (found := self.path_match(path)):
            best = max(best, self.path_numbers[(found.lastindex or 0) - 1])
        return self.rules[best] if best >= 0 else None


def _join(numbered: list[tuple[int, str]]) -> tuple[list[int], Callable[[str], re.Match[str] | None]]:
    """One expression for all, in which the last rule is tried first and its group tells its number."""
    numbered = numbered[::-1]
    expression = "|".join(f"({expression})" for _, expression in numbered)
    return [number for number, _ in numbered], re.compile(expression, re.DOTALL).fullmatch
