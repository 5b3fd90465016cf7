"""Read a value typed on the command line the way its key means it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..api import PluginMissingError, UsageError
from ..document.explain import json_schema, keys_of, node_at
from ..document.tree import Loc, dotted
from ..document.yaml_text import read_yaml
from ..spelling import closest
from .yaml_values import Value

if TYPE_CHECKING:
    from ..document.blocks import Blocks

_NULL = frozenset({"null", "~"})


def check_key(loc: Loc, blocks: Blocks) -> None:
    """Whether the schema has a key.  Raises UsageError with the closest there is, or says which plugin is missing."""
    schema = json_schema(blocks.model)
    for depth, name in enumerate(loc):
        around = node_at(schema, loc[:depth])
        known = keys_of(around)
        if node_at(schema, loc[: depth + 1]) or not known or name in known:
            continue
        key = dotted(loc[: depth + 1])
        close = closest(str(name), known)
        if meant := dotted((*loc[:depth], close)) if close else _anywhere(blocks.model, str(name)):
            raise UsageError(f"unknown key `{key}`", f"did you mean `{meant}`?")
        if hint := blocks.who(loc[: depth + 1]):
            raise PluginMissingError(f"`{key}` needs a plugin that is not at work here", hint.text)
        raise UsageError(f"unknown key `{key}`", f"known here: {', '.join(known)}")


def read_value(words: str, loc: Loc, model: type[BaseModel]) -> Value:
    """The value for a key: YAML in flow style, or the words themselves where the key takes nothing but text.

    Raises UsageError for words that are not YAML where the key takes no text.
    """
    node = node_at(json_schema(model), loc)
    types = _types(node)
    if words.strip() in _NULL and "null" in types:
        return Value(None, words.strip())
    found = read_yaml(f"value: {words}\n", 1)
    data = (found.data or {}).get("value") if not found.problems and len(found.data or {}) == 1 else None
    broken = bool(found.problems) or len(found.data or {}) != 1
    if types and types <= {"string", "null"}:
        is_quoted = not broken and isinstance(data, str) and words.strip()[:1] in ("'", '"')
        return Value(data if is_quoted else words)
    if broken and "string" not in types:
        reason = found.problems[0].message if found.problems else "it is more than one value"
        raise UsageError(f"the value for `{dotted(loc)}` cannot be read: {reason}", "lists are written `[one, two]`")
    if broken or ("string" in types and _type(data) not in types):
        return Value(words)
    spelled = None if isinstance(data, str) or set("#\n") & set(words) else words.strip()
    return Value(data, spelled)


def _anywhere(model: type[BaseModel], name: str) -> str | None:
    """The dotted key whose last part has this name."""
    schema = json_schema(model)
    todo: list[Loc] = [()]
    while todo:
        loc = todo.pop(0)
        for key in keys_of(node_at(schema, loc)):
            if key == name:
                return dotted((*loc, key))
            if len(loc) < 3:
                todo.append((*loc, key))
    return None


def _types(node: Mapping[str, Any]) -> set[str]:
    """The JSON types that a place takes; none when its schema does not say."""
    found: set[str] = set()
    for option in node.get("anyOf", [node]):
        if "type" in option:
            found.add(option["type"])
        elif "const" in option or "enum" in option:
            found |= {_type(choice) for choice in option.get("enum", [option.get("const")])}
        else:
            return set()
    return found


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
