"""The ways a value can be written in YAML, the best first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..document.tree import Loc
from ..document.yaml_emit import fits_literal, inline, literal_lines, quoted


@dataclass(frozen=True, slots=True)
class Value:
    """A value to write; `spelling` is how its author wrote it on one line, `before` what stood in its place."""

    data: Any
    spelling: str | None = None
    before: Any = None


def inline_spellings(value: Value, style: str = "") -> list[str]:
    """On one line; a text keeps the quotes, by `style`, of the text it replaces."""
    found = [value.spelling] if value.spelling is not None else []
    if isinstance(value.data, str):
        if style == "'" and value.data.isprintable():
            found.append("'" + value.data.replace("'", "''") + "'")
        elif style == '"':
            found.append(quoted(value.data))
        return [*found, inline(value.data), quoted(value.data)]
    return [*found, inline(value.data)]


def block_lines(value: Value, indent: str, step: int) -> list[str] | None:
    """A text of several lines or a block as lines: what stands behind the key, then the lines below it.

    None for values that belong on one line.
    """
    data = value.data
    if isinstance(data, str) and "\n" in data.strip("\n") and fits_literal(data):
        return ["|" if data.endswith("\n") else "|-", *literal_lines(data, indent)]
    if isinstance(data, dict) and data:
        return ["", *(line for name, inner in data.items() for line in _pair(name, Value(inner), indent, step))]
    return None


def key_lines(loc: Loc, value: Value, indent: str, step: int) -> Iterator[list[str]]:
    """Ways to write a key that is new, with the blocks around it that are."""
    *above, name = loc
    heads = [f"{indent}{' ' * step * depth}{inline(part)}:" for depth, part in enumerate(above)]
    deep = indent + " " * step * len(above)
    yield [*heads, *_pair(name, value, deep, step)]
    for spelled in inline_spellings(value):
        yield [*heads, f"{deep}{inline(name)}: {spelled}"]


def _pair(name: Any, value: Value, indent: str, step: int) -> list[str]:
    lines = block_lines(value, indent + " " * step, step)
    if lines is None:
        return [f"{indent}{inline(name)}: {inline_spellings(value)[0]}"]
    return [f"{indent}{inline(name)}:{' ' * bool(lines[0])}{lines[0]}", *lines[1:]]
