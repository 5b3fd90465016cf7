"""TOML to plain values with positions.  `tomli` reads the values; a scan of the same text finds the places."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any

import tomli

from ..api import Problem, Span
from .tree import MAX_DEPTH, MAX_NODES, Loc, Place, Tree

_BLANKS = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")' r"|'''.*?'{3,5}(?!')" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_PLAIN = re.compile(r"[^,\]}\n#]*")
_AT = re.compile(r"\(at line \d+, column \d+\)|\(at end of document\)")


def read_toml(text: str, first_line: int) -> Tree:
    """Read a frontmatter whose first line is line `first_line` of the file."""
    tree = Tree(syntax="toml")
    try:
        tree.data = tomli.loads(text)
    except RecursionError:
        tree.problems.append(Problem(Span(1), f"the frontmatter is deeper than {MAX_DEPTH} levels", code="DLM0109"))
    except tomli.TOMLDecodeError as error:
        tree.problems.append(_syntax_problem(error, text, first_line))
    except ValueError as error:  # a number with thousands of digits, a date that is none
        tree.problems.append(Problem(Span(first_line), f"not valid TOML: {str(error)[:200]}", code="DLM0107"))
    if tree.data is not None and (limit := _over_limit(tree.data)):
        tree.data = None
        tree.problems.append(Problem(Span(1, 1, 3), f"the frontmatter is {limit}", code="DLM0109"))
    if tree.data is not None:
        Places(text, first_line, tree).scan()
    return tree


def _syntax_problem(error: tomli.TOMLDecodeError, text: str, first_line: int) -> Problem:
    span = Span(first_line + min(error.lineno - 1, text.rstrip("\n").count("\n")), error.colno)
    return Problem(span, f"not valid TOML: {error.msg[:200]}", code="DLM0107")


def _over_limit(data: Any) -> str | None:
    todo, nodes = [(data, 0)], 0
    while todo:
        value, depth = todo.pop()
        nodes += 1
        if depth > MAX_DEPTH:
            return f"deeper than {MAX_DEPTH} levels"
        if nodes > MAX_NODES:
            return f"over {MAX_NODES:,} nodes"
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        todo += [(item, depth + 1) for item in inner]
    return None


class Places:
    """A scan over TOML that is known to be valid, noting where every key and value stands."""

    def __init__(self, text: str, first_line: int, tree: Tree) -> None:
        self.text, self.first_line, self.tree, self.at = text, first_line, tree, 0
        self.line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.tables: dict[Loc, int] = {}  # how many `[[headers]]` each array of tables has had

    def scan(self) -> None:
        table: Loc = ()
        self._skip()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> Loc:
        many = self.text.startswith("[[", self.at)
        start, self.at = self.at, self.at + (2 if many else 1)
        keys = self._keys()
        loc: Loc = ()
        for depth, (key, _, _) in enumerate(keys):
            loc = (*loc, key)
            if many and depth == len(keys) - 1:
                self.tables[loc] = self.tables.get(loc, -1) + 1
            self._note(loc, keys[depth][1:], self._span(start, self.at))
            if loc in self.tables:
                loc = (*loc, self.tables[loc])
                self._note(loc, keys[depth][1:], self._span(start, self.at))
        self._skip()
        self.at += 2 if many else 1
        return loc

    def _pair(self, table: Loc) -> None:
        keys = self._keys()
        self.at += 1  # the equals sign
        self._skip()
        start, loc = self.at, table
        for key, _, _ in keys:
            loc = (*loc, key)
        self._value(loc)
        value = self._span(start, self.at)
        inner = table
        for key, begin, end in keys:
            inner = (*inner, key)
            self._note(inner, (begin, end), value)

    def _keys(self) -> list[tuple[str, int, int]]:
        """A dotted key at the current position: each part's name, start and end."""
        parts: list[tuple[str, int, int]] = []
        while True:
            self._skip()
            start = self.at
            quoted = _STRING.match(self.text, self.at)
            found = quoted or BARE.match(self.text, self.at)
            assert found is not None
            self.at = found.end()
            name = tomli.loads(f"x = {found[0]}")["x"] if quoted else found[0]
            parts.append((name, start, self.at))
            self._skip()
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _value(self, loc: Loc) -> None:
        opening = self.text[self.at]
        if opening not in "[{":
            found = _STRING.match(self.text, self.at) or _PLAIN.match(self.text, self.at)
            assert found is not None
            self.at += len(found[0].rstrip())
            return
        closing = "]" if opening == "[" else "}"
        self.at += 1
        self._skip()
        index = 0
        while self.text[self.at] != closing:
            if opening == "{":
                self._pair(loc)
            else:
                start, inner = self.at, (*loc, index)
                self._value(inner)
                self._note(inner, (start, self.at), self._span(start, self.at))
                index += 1
            self._skip()
            if self.text[self.at] == ",":
                self.at += 1
                self._skip()
        self.at += 1

    def _skip(self) -> None:
        found = _BLANKS.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def _note(self, loc: Loc, key: tuple[int, int], value: Span) -> None:
        self.tree.places.setdefault(loc, Place(self._span(*key), value))

    def _span(self, start: int, end: int) -> Span:
        line = bisect_right(self.line_starts, start) - 1
        one_line = bisect_right(self.line_starts, end) - 1 == line
        return Span(self.first_line + line, start - self.line_starts[line] + 1, max(1, end - start) if one_line else 1)
