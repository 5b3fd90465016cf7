"""Git's wildcards as regular expressions: what wildmatch.c accepts, quirks included, on paths read as Latin-1.

Git compares bytes, so that `?` is one byte of a name and not one letter; a name whose bytes are read as Latin-1 has one
character a byte.  Expressions are written so that no pattern, however hostile, takes more than polynomial time.
"""

from __future__ import annotations

import re
import string

_WILD = re.compile(r"[*?\[\\]")

#: What stands between `[:` and `:]`, in ASCII as git has it whatever the locale.
_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, range(32))) + "\x7f",
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": " \t\n\v\f\r",
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
#: A `*`; a `**/` that stands for zero or more folders; a `**` that stands for anything.
NAME, FOLDERS, ANYTHING = "[^/]*", "(?:.*/)?", ".*"
_LAZY = {"": "", NAME: "[^/]*?", FOLDERS: "(?:.*?/)??", ANYTHING: ".*?"}


def translate(pattern: str) -> str | None:
    """An expression for `fullmatch` with re.DOTALL, or None for a pattern that matches nothing.

    A `/` is matched by `**` alone, as git has it for patterns with a `/` in them; in one without, no name has a `/`.
    """
    try:
        return assemble(_tokens(pattern))
    except _NeverError:
        return None


def assemble(tokens: list[str]) -> str:
    """The expression for stars (NAME, FOLDERS, ANYTHING) and what stands between them, each for one character.

    What stands between two stars is matched at the first place where it fits, and no other place is tried: the
    second star makes up for whatever lies between.
    """
    out, star, block = [], "", list[str]()
    for token in tokens:
        if token in (FOLDERS, ANYTHING):
            out.append(_held(star, _names(block, _LAZY[NAME])))
            star, block = token, []
        else:
            block.append(token)
    return "".join([*out, star, _names(block, NAME)])


def _names(tokens: list[str], last: str) -> str:
    """The same for a part without FOLDERS and ANYTHING; `last` is how its last NAME is written."""
    out, star, fixed = [], "", ""
    for token in tokens:
        if token != NAME:
            fixed += token
        if token == NAME or (token == "/" and star):
            out.append(_held(star, fixed))
            star, fixed = token if token == NAME else "", ""
    return "".join([*out, last if star else "", fixed])


def _held(star: str, text: str) -> str:
    return f"(?>{_LAZY[star]}{text})" if star else text


class _NeverError(Exception):
    """A bracket that is never closed or a backslash at the end: git lets such a pattern match nothing."""


def _tokens(pattern: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern[at] != "*":
            token, at = _single(pattern, at)
            tokens.append(token)
            continue
        end = at
        while end < len(pattern) and pattern[end] == "*":
            end += 1
        # Git skips the letters before the first wildcard and reads what follows as if it stood at the start.
        aligned = not _WILD.search(pattern, 0, at) or pattern[at - 1] == "/"
        if end - at == 1 or not aligned or not (end == len(pattern) or pattern.startswith(("/", "\\/"), end)):
            tokens.append(NAME)
        elif pattern.startswith("/", end):
            tokens.append(FOLDERS)
            end += 1
        else:
            tokens.append(ANYTHING)
        at = end
    return tokens


def _single(pattern: str, at: int) -> tuple[str, int]:
    """The expression for one character's worth of pattern, and where the next starts."""
    char = pattern[at]
    if char == "?":
        return "[^/]", at + 1
    if char == "[":
        return _bracket(pattern, at + 1)
    if char == "\\":
        at += 1
        if at == len(pattern):
            raise _NeverError
    return ("/" if pattern[at] == "/" else re.escape(pattern[at])), at + 1


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """A set in brackets, as git's loop reads it: a `]` may come first, `[:alpha:]` is a class, `a-z` a range."""

    def char_at(index: int) -> str:
        if index >= len(pattern):
            raise _NeverError
        return pattern[index]

    negated = char_at(at) in "!^"
    at += negated
    members: set[str] = set()
    before = ""
    while True:
        char = char_at(at)
        if char == "\\":
            at += 1
            char = char_at(at)
            members.add(char)
        elif char == "-" and before and at + 1 < len(pattern) and pattern[at + 1] != "]":
            at += 1
            if char_at(at) == "\\":
                at += 1
            members.update(map(chr, range(ord(before), ord(char_at(at)) + 1)))
            char = ""
        elif char == "[" and pattern.startswith(":", at + 1):
            end = pattern.find("]", at + 2)
            if end < 0:
                raise _NeverError
            if end == at + 2 or pattern[end - 1] != ":":
                members.add("[")  # no `:]` follows: a set like any other
            elif pattern[at + 2 : end - 1] not in _CLASSES:
                raise _NeverError
            else:
                members.update(_CLASSES[pattern[at + 2 : end - 1]])
                at, char = end, ""
        else:
            members.add(char)
        before = char
        at += 1
        if char_at(at) == "]":
            break
    if negated:
        members = set(map(chr, range(1, 256))) - members
    members.discard("/")
    return (f"[{re.escape(''.join(sorted(members)))}]" if members else "(?!)"), at + 1
