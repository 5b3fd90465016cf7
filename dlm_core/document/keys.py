"""The frontmatter's keys by their dotted names, with what each is for and the values it can be one of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from .explain import json_schema, node_at


@dataclass(frozen=True, slots=True)
class Key:
    """`values` is empty for a key whose values are not counted out."""

    description: str
    values: tuple[str, ...]


def known_keys(model: type[BaseModel]) -> dict[str, Key]:
    """Every key that holds a value, of core and of the plugins at work, in the order of the schema."""
    return dict(_keys(json_schema(model), ()))


def keys_below(model: type[BaseModel], loc: tuple[str, ...]) -> dict[str, Key]:
    """The keys below a name that the author chose, such as that of an adapter."""
    return dict(_keys(json_schema(model), loc))


def _keys(schema: Mapping[str, Any], loc: tuple[str, ...]) -> Iterator[tuple[str, Key]]:
    node = node_at(schema, loc)
    below = node.get("properties")
    if below:
        for name in below:
            yield from _keys(schema, (*loc, name))
    elif loc:
        written = node_at(schema, loc[:-1])["properties"][loc[-1]]
        yield ".".join(loc), Key(written.get("description", ""), tuple(_values(node)))


def _values(node: Mapping[str, Any]) -> Iterator[str]:
    yield from map(str, node.get("enum", ()))
    if "const" in node:
        yield str(node["const"])
    if node.get("type") == "boolean":
        yield from ("true", "false")
    for one in node.get("anyOf", ()):
        yield from _values(one)
