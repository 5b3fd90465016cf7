"""YAML to plain values with positions: a safe subset of YAML, with the scalars of YAML 1.2.

The parser's events are checked before anything is built from them, so that no document, however hostile, costs
more than one pass over its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ..api import Problem, Span
from .make import make_span
from .tree import MAX_DEPTH, MAX_NODES, Loc, Place, Tree, dotted

#: libyaml's parser where PyYAML was built with it; the pure one gives the same events, more slowly.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|nan|NaN|NAN)")

#: Longer numbers are read as floating point, which cannot be made to cost quadratic time.
_MAX_DIGITS = 100

_ADVICE = {
    "mapping values are not allowed": "put a value that contains `: ` in quotes",
    "cannot start any token": "indent with spaces, and put values that start with a special character in quotes",
    "could not find expected ':'": "write `key: value`, with a blank after the colon",
    "did not find expected key": "check the indentation, and put values with special characters in quotes",
}


def read_yaml(text: str, first_line: int) -> Tree:
    """Read a frontmatter whose first line is line `first_line` of the file."""
    tree = Tree()
    events = _checked_events(text, first_line, tree.problems)
    if tree.problems:
        return tree
    if not events:
        tree.data = {}
    elif not isinstance(events[0], MappingStartEvent):
        span = _span(events[0], first_line)
        tree.problems.append(
            Problem(span, "the frontmatter must be `key: value` lines", "start with `dlm_id: …`", code="DLM0107")
        )
    else:
        stream = iter(events)
        tree.data = _build(next(stream), stream, (), tree, first_line)
    return tree


def scalar(text: str) -> Any:
    """The value of a plain YAML 1.2 scalar: None, a bool, an int, a float or the text itself."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "+-.0123456789":
        return text
    if len(text) <= _MAX_DIGITS:
        if _INT.fullmatch(text):
            return int(text)
        if _RADIX.fullmatch(text):
            return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float(special[1] + "inf") if special[2] else float("nan")
    return text


def _checked_events(text: str, first_line: int, problems: list[Problem]) -> list[Any]:
    """The events of the one node in the text, or problems; needs no recursion and stops at the limits."""
    events: list[Any] = []
    nodes = 0
    open_nodes: list[int] = []  # for each open mapping the nodes seen in it, for each open sequence -1
    try:
        for event in iter(LOADER(text).get_event, None):
            if type(event) is ScalarEvent and event.anchor is event.tag is None and event.value != "<<":
                # Text that is allowed anywhere, as most nodes are.
                if open_nodes and open_nodes[-1] >= 0:
                    open_nodes[-1] += 1
                nodes += 1
                events.append(event)
            elif isinstance(event, NodeEvent):
                in_mapping = bool(open_nodes) and open_nodes[-1] >= 0
                problems += _node_problems(event, in_mapping and open_nodes[-1] % 2 == 0, first_line)
                if in_mapping:
                    open_nodes[-1] += 1
                nodes += 1
                events.append(event)
                if isinstance(event, CollectionStartEvent):
                    open_nodes.append(0 if isinstance(event, MappingStartEvent) else -1)
            elif isinstance(event, CollectionEndEvent):
                open_nodes.pop()
                events.append(event)
            elif isinstance(event, DocumentStartEvent) and event.explicit:
                problems.append(_forbidden(event, first_line, "a second YAML document or a directive"))
            if len(open_nodes) > MAX_DEPTH or nodes > MAX_NODES:
                limit = (
                    f"deeper than {MAX_DEPTH} levels" if len(open_nodes) > MAX_DEPTH else f"over {MAX_NODES:,} nodes"
                )
                problems.append(Problem(_span(event, first_line), f"the frontmatter is {limit}", code="DLM0109"))
                return []
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(error, text, first_line))
    return events


def _node_problems(event: Any, is_key: bool, first_line: int) -> Iterator[Problem]:
    if isinstance(event, AliasEvent):
        yield _forbidden(event, first_line, f"the alias `*{event.anchor}`")
        return
    if event.anchor is not None:
        yield _forbidden(event, first_line, f"the anchor `&{event.anchor}`")
    if event.tag is not None:
        yield _forbidden(event, first_line, f"the tag `{event.tag}`")
    if is_key and not isinstance(event, ScalarEvent):
        yield _forbidden(event, first_line, "a key that is not text")
    if is_key and isinstance(event, ScalarEvent) and event.value == "<<" and not event.style:
        yield _forbidden(event, first_line, "the merge key `<<`")


def _forbidden(event: Any, first_line: int, what: str) -> Problem:
    hint = "write the value out; a frontmatter is plain keys and values"
    return Problem(_span(event, first_line), f"{what} is not allowed in a frontmatter", hint, code="DLM0108")


def _syntax_problem(error: yaml.YAMLError, text: str, first_line: int) -> Problem:
    context = getattr(error, "context", None) or ""
    opened = "quoted" in context or "flow" in context  # what was opened says more than where its end was missed
    mark = (getattr(error, "context_mark", None) if opened else None) or getattr(error, "problem_mark", None)
    what = " ".join(filter(None, (context, getattr(error, "problem", None)))) or str(error)
    lines = text.rstrip("\n").count("\n")
    line = min(mark.line, lines) if mark else 0
    col = mark.column + 1 if mark and mark.line <= lines else 1
    hint = next((advice for part, advice in _ADVICE.items() if part in what), None)
    return Problem(Span(first_line + line, col), f"not valid YAML: {what[:200]}", hint, code="DLM0107")


def _build(event: Any, events: Iterator[Any], loc: Loc, tree: Tree, first_line: int) -> Any:
    """The value that starts with `event`.  Recursion is bounded: the depth has been checked."""
    if type(event) is ScalarEvent:
        return event.value if event.style else scalar(event.value)
    if isinstance(event, SequenceStartEvent):
        items: list[Any] = []
        while type(event := next(events)) is not SequenceEndEvent:
            span = _span(event, first_line)
            inner = (*loc, len(items))
            tree.places[inner] = Place(span, span)
            items.append(_build(event, events, inner, tree, first_line))
        return items
    block: dict[str, Any] = {}
    while type(event := next(events)) is not MappingEndEvent:
        key, value = event.value, next(events)
        inner = (*loc, key)
        if key in block:
            tree.problems.append(_duplicate(inner, _span(event, first_line), tree.places[inner].key))
            _build(value, events, inner, Tree(), first_line)
            continue
        tree.places[inner] = Place(_span(event, first_line), _span(value, first_line))
        block[key] = _build(value, events, inner, tree, first_line)
    return block


def _duplicate(loc: Loc, span: Span, first: Span) -> Problem:
    message = f"duplicate key `{dotted(loc)}`: first set at {first.line}:{first.col}"
    return Problem(span, message, "remove one of the two; YAML alone would silently keep the last", code="DLM0103")


def _span(event: Any, first_line: int) -> Span:
    start, end = event.start_mark, event.end_mark
    line, column = start.line, start.column
    width = end.column - column if end.line == line else 1
    return make_span(first_line + line, column + 1, width or 1)
