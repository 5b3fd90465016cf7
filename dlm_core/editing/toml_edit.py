"""Set, remove and rename keys of a TOML frontmatter by changing the lines they are on, and no others.

The functions propose changes, the best first; whoever calls them takes the first whose result reads as was meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ..api import UsageError
from ..document.toml_text import BARE
from ..document.tree import Loc, dotted
from ..document.yaml_emit import quoted
from .lines import Change
from .toml_nodes import Nodes, Pair
from .yaml_nodes import line_end, line_start
from .yaml_values import Value


def set_changes(text: str, loc: Loc, value: Value, after: str | None = None) -> Iterator[tuple[Change, ...]]:
    """Ways to give the key at `loc` a value; a key that is new at the top comes behind the key `after`.

    Raises UsageError when something that is no table stands in the way.
    """
    nodes = Nodes(text)
    spellings = [*([value.spelling] if value.spelling is not None else []), *_spellings(value.data)]
    here = next((pair for pair in nodes.pairs if pair.loc == loc), None)
    if here is not None:
        yield from ((Change(here.value, here.end, spelled),) for spelled in spellings)
        return
    known = {loc[:depth] for loc, _, _ in nodes.keys for depth in range(len(loc) + 1)}
    depth = max((depth for depth in range(len(loc)) if loc[:depth] in known), default=0)
    parent, rest = loc[:depth], loc[depth:]
    if loc in known:
        raise UsageError(f"`{dotted(loc)}` is a table", "set its keys one by one, or unset it first")
    if any(isinstance(name, int) for name in rest):
        raise UsageError(f"`{dotted(parent)}` has no item `{rest[0]}`", "set the whole list: `[one, two]`")
    around = next((pair for pair in nodes.pairs if pair.loc == parent and depth), None)
    if around is not None and text[around.value] != "{":
        raise UsageError(f"`{dotted(parent)}` is a value, so `{dotted(loc)}` cannot be set", "unset it first")
    for spelled in spellings:
        if around is not None:
            yield (_added_inline(text, nodes, around, f"{_key(rest)} = {spelled}"),)
        else:
            yield from ((change,) for change in _added_lines(text, nodes, loc, depth, spelled, after))


def remove_changes(text: str, loc: Loc) -> Iterator[tuple[Change, ...]]:
    """Remove the key at `loc`, which is there, with everything below it."""
    nodes = Nodes(text)
    mine = [pair for pair in nodes.pairs if pair.loc[: len(loc)] == loc]
    outer = [pair for pair in mine if pair.loc == loc and pair.inline]
    if outer:
        yield (_without_inline(nodes, outer[0]),)
        return
    spans = [(pair.start, pair.end) for pair in mine if not pair.inline]
    spans += [(header.start, header.end) for header in nodes.headers if header.loc[: len(loc)] == loc]
    yield tuple(Change(line_start(text, start), min(line_end(text, end) + 1, len(text)), "") for start, end in spans)


def rename_changes(text: str, loc: Loc, name: str) -> Iterator[tuple[Change, ...]]:
    """Give the key at `loc` another name, wherever it is written."""
    places = {(start, end) for written, start, end in Nodes(text).keys if written == loc}
    yield tuple(Change(start, end, _key((name,))) for start, end in sorted(places))


def source_of(text: str, loc: Loc) -> str | None:
    """How the value at `loc` is written; None for a table of several lines."""
    here = next((pair for pair in Nodes(text).pairs if pair.loc == loc), None)
    return None if here is None else text[here.value : here.end]


def _added_inline(text: str, nodes: Nodes, around: Pair, pair: str) -> Change:
    inside = [inner for inner in nodes.pairs if inner.inline and inner.table == around.loc]
    if not inside:
        return Change(around.value + 1, around.value + 1, f" {pair} " if text[around.value + 1] == "}" else f" {pair}")
    at = max(inner.end for inner in inside)
    return Change(at, at, f", {pair}")


def _added_lines(text: str, nodes: Nodes, loc: Loc, depth: int, spelled: str, after: str | None) -> Iterator[Change]:
    """Under the header of the closest table there is, beside a dotted key of it, or under a header of its own."""
    parent = loc[:depth]
    pairs = [pair for pair in nodes.pairs if not pair.inline]
    header = next((header for header in nodes.headers if header.loc == parent), None)
    top = len(loc) == 1
    if header or top:
        mine = [pair for pair in pairs if pair.table == parent]
        wanted = [pair for pair in mine if top and pair.loc == (after,)]
        ends = [pair.end for pair in wanted or mine[-1:]] or ([header.end] if header else [])
        at = min(line_end(text, ends[0]) + 1, len(text)) if ends else 0
        yield Change(at, at, f"{_key(loc[depth:])} = {spelled}\n")
        return
    beside = [pair for pair in pairs if depth and pair.loc[:depth] == parent and len(pair.table) < depth]
    if beside:
        at = line_end(text, beside[-1].end) + 1
        yield Change(at, at, f"{_key(loc[len(beside[-1].table) :])} = {spelled}\n")
    yield Change(len(text), len(text), f"\n[{_key(loc[:-1])}]\n{_key(loc[-1:])} = {spelled}\n")


def _without_inline(nodes: Nodes, gone: Pair) -> Change:
    siblings = [pair for pair in nodes.pairs if pair.inline and pair.table == gone.table]
    siblings.sort(key=lambda pair: pair.start)
    for before, pair in pairwise(siblings):
        if pair == gone:
            return Change(before.end, gone.end, "")
    return Change(gone.start, siblings[1].start if len(siblings) > 1 else gone.end, "")


def _key(loc: Loc) -> str:
    return ".".join(str(name) if BARE.fullmatch(str(name)) else quoted(str(name)) for name in loc)


def _spellings(data: Any) -> Iterator[str]:
    if isinstance(data, str) and "\n" in data.strip("\n"):
        yield '"""\n' + data.replace("\\", "\\\\").replace('"""', '""\\"') + '"""'
    yield _inline(data)


def _inline(data: Any) -> str:
    if isinstance(data, str):
        return quoted(data)
    if isinstance(data, Mapping):
        return "{ " + ", ".join(f"{_key((name,))} = {_inline(inner)}" for name, inner in data.items()) + " }"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(map(_inline, data)) + "]"
    return json.dumps(data)
