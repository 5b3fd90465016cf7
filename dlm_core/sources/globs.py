"""Globs of `training.sources`, relative to the source's root and with `/` between names (FORMAT §4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=256)
def compile_globs(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all patterns: `*` and `?` stay inside a name, `**/` spans folders, `[ab]`, `{a,b}`."""
    return re.compile("|".join(f"(?:{_translate(pattern)})" for pattern in patterns) or r"(?!)")


def matches(path: str, patterns: Sequence[str]) -> bool:
    return compile_globs(tuple(patterns)).fullmatch(path) is not None


def _translate(pattern: str) -> str:
    out, at, depth = [], 0, 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        char = pattern[at]
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            inside = pattern[at:end]
            negated = "^" if inside[:1] in "!^" else ""
            out.append(f"[{negated}{re.escape(inside[1:] if negated else inside).replace(chr(92) + '-', '-')}]")
            at = end + 1
        elif char == "{":
            out.append("(?:")
            depth += 1
        elif char == "}" and depth:
            out.append(")")
            depth -= 1
        elif char == "," and depth:
            out.append("|")
        else:
            out.append(re.escape(char))
    return "".join(out) + ")" * depth
