"""A YAML frontmatter as nodes that know where they begin and end in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from ..document.tree import Loc
from ..document.yaml_text import LOADER

_EMPTY_LINES = re.compile(r"\n+\Z")
_INDENT = re.compile(r"\n+( *)")
_HEADER = re.compile(r"[|>][+\-0-9]*")


@dataclass(frozen=True, slots=True)
class Node:
    """A value.  `end` lies behind its last character; `style` is that of a scalar, or `flow` or `block`."""

    kind: Literal["scalar", "map", "list"]
    start: int
    end: int
    style: str
    entries: tuple[Entry, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written where the value would stand."""
        return self.start == self.end

    @property
    def in_lines(self) -> bool:
        """Whether the value is a block of lines of its own."""
        return self.style == "block"


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of a map or list.  `start` is that of its key or dash, `colon` lies behind its colon or dash."""

    name: str | int
    start: int
    colon: int
    node: Node

    @property
    def end(self) -> int:
        return max(self.colon, self.node.end)


def read_nodes(text: str) -> Node | None:
    """The root of a frontmatter that `read_yaml` accepts; None when it is empty."""
    events = (event for event in yaml.parse(text, Loader=LOADER) if isinstance(event, (yaml.NodeEvent, *_ENDS)))
    first = next(events, None)
    return None if first is None else _node(first, events, text)


_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def descend(root: Node, loc: Loc) -> list[Entry]:
    """The entries on the way to a location, as far as they exist."""
    way: list[Entry] = []
    node = root
    for name in loc:
        found = next((entry for entry in node.entries if entry.name == name), None)
        if found is None:
            break
        way.append(found)
        node = found.node
    return way


def header_end(text: str, node: Node) -> int:
    """Behind the `|` or `>` of a block scalar and what belongs to it."""
    found = _HEADER.match(text, node.start)
    assert found is not None
    return found.end()


def literal_column(text: str, node: Node) -> int:
    """How far the lines of a block scalar are indented; 0 for any other value and where its header says it."""
    if node.style not in ("|", ">"):
        return 0
    end = header_end(text, node)
    found = _INDENT.match(text, line_end(text, end), node.end)
    return len(found[1]) if found and not set("123456789") & set(text[node.start : end]) else 0


def column(text: str, at: int) -> int:
    """How many characters stand before `at` on its line."""
    return at - line_start(text, at)


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """The offset of the line end at or after `at`."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _node(event: Any, events: Iterator[Any], text: str) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.ScalarEvent):
        style = event.style or ""
        return Node("scalar", start, _block_end(text, start, end) if style in ("|", ">") else end, style)
    flow = bool(event.flow_style)
    entries: list[Entry] = []
    kind: Literal["map", "list"] = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
    while not isinstance(event := next(events), _ENDS):
        if kind == "map":
            entries.append(_pair(event, _node(next(events), events, text), text))
        else:
            entries.append(_item(len(entries), _node(event, events, text), text, flow))
    if flow:
        closing: Any = event
        return Node(kind, start, closing.end_mark.index, "flow", tuple(entries))
    return Node(kind, start, entries[-1].end, "block", tuple(entries))


def _pair(key: Any, node: Node, text: str) -> Entry:
    behind = key.end_mark.index
    colon = text.find(":", behind, max(behind, node.start)) + 1 or behind
    return Entry(key.value, key.start_mark.index, colon, node)


def _item(index: int, node: Node, text: str, flow: bool) -> Entry:
    if flow:
        return Entry(index, node.start, node.start, node)
    dash = text.rfind("-", 0, node.start)
    return Entry(index, dash, dash + 1, node)


def _block_end(text: str, start: int, end: int) -> int:
    """Empty lines under a block scalar belong to it only when its header keeps them with `+`."""
    found = _EMPTY_LINES.search(text, start, end)
    keeps = "+" in text[start : line_end(text, start)].partition("#")[0]
    return end if found is None else found.end() - 1 if keeps else found.start()
