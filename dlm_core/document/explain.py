"""Say what the schema found wrong in words: where, what was found, what is allowed, what was probably meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, PydanticInvalidForJsonSchema, ValidationError

from ..api import Problem, Span
from ..plugins.registry import Hint
from ..spelling import closest
from .tree import Loc, Place, Tree, dotted

_TOP = Place(Span(1, 1, 3), Span(1, 1, 3))
_MISSING_ADVICE = {
    "dlm_id": "`dlm init` makes one; it never changes afterwards",
    "base_model": "name a base: `dlm bases` lists them",
}


Who = Callable[[Loc], Hint | None]


def explain(error: ValidationError, model: type[BaseModel], tree: Tree, who: Who) -> Iterator[Problem]:
    """One problem for each place where validation failed.  `who` knows about keys that no model has."""
    schema = json_schema(model)
    details = error.errors(include_url=False, include_context=False)
    groups: dict[Loc, list[Any]] = {}
    for detail in details:
        groups.setdefault(_written(detail, tree), []).append(detail)
    parents = {loc[:depth] for loc in groups for depth in range(len(loc))}
    for loc, group in groups.items():
        of_union = all(detail["loc"] != loc for detail in group)
        if not (of_union and loc in parents):  # of a union's branches, the one that got furthest was meant
            yield _problem(loc, group, schema, tree, who)


def _written(detail: Any, tree: Tree) -> Loc:
    """An error's location without the names of union branches; a missing key counts as written."""
    loc: Loc = ()
    for part in detail["loc"]:
        if (*loc, part) in tree.places:
            loc = (*loc, part)
    return (*loc, detail["loc"][-1]) if detail["type"] == "missing" else loc


def _problem(loc: Loc, details: list[Any], schema: Mapping[str, Any], tree: Tree, who: Who) -> Problem:
    kind = details[0]["type"]
    place = tree.places.get(loc, _TOP)
    name = f"`{dotted(loc)}`" + (f" (written as `{place.written}`)" if place.written else "")
    if kind == "missing":
        parent = tree.places.get(loc[:-1], _TOP)
        return Problem(parent.key, f"{name} is missing", _MISSING_ADVICE.get(dotted(loc)), code="DLM0102")
    if kind == "extra_forbidden":
        return _unknown_key(loc, name, place, schema, who)
    if details[0]["loc"][-1:] == ("[key]",):
        return Problem(
            place.key,
            f"`{loc[-1]}` is not allowed as a name in `{dotted(loc[:-1])}`",
            _names_allowed(schema, loc),
            code="DLM0104",
        )
    code = "DLM0112" if loc == ("dlm_id",) else "DLM0104"
    value = details[0]["input"]
    if kind in ("value_error", "assertion_error"):
        reason = details[0]["msg"].partition(", ")[2]
        return Problem(place.value, f"{name} is {show(value)}: {reason}", code=code)
    node = node_at(schema, loc)
    allowed = _allowed(node) or "; or ".join(detail["msg"] for detail in details)
    return Problem(place.value, f"{name} is {show(value)}; allowed: {allowed}", _value_hint(node, value), code=code)


def _unknown_key(loc: Loc, name: str, place: Place, schema: Mapping[str, Any], who: Who) -> Problem:
    if hint := who(loc):
        return Problem(place.key, f"{name} needs a plugin that is not at work here", hint.text, code=hint.code)
    known = keys_of(node_at(schema, loc[:-1]))
    meant = closest(str(loc[-1]), known) or _elsewhere(schema, str(loc[-1]), loc[:-1])
    listed = f"known here: {', '.join(known)}" if known else None
    advice = f"did you mean `{meant}`?" if meant else listed
    return Problem(place.key, f"unknown key {name}", advice, code="DLM0101")


def _elsewhere(schema: Mapping[str, Any], key: str, parent: Loc) -> str | None:
    """Where a key that is unknown here is known: at the top, in a block of the top, or one block up."""
    blocks = [block for block in keys_of(schema) if keys_of(node_at(schema, (block,)))]
    for loc in [(key,), *((block, key) for block in blocks)]:
        if loc[:-1] != parent and loc[-1] in keys_of(node_at(schema, loc[:-1])):
            return dotted(loc)
    return None


def show(value: Any) -> str:
    """What was found, short enough for a line."""
    match value:
        case None:
            return "empty"
        case dict():
            return "a block of keys"
        case list() | tuple():
            return "a list"
        case str():
            text = json.dumps(value if len(value) <= 60 else value[:57] + "…", ensure_ascii=False)
            return f"the text {text}"
        case _:
            return json.dumps(value)[:60]


# -- what the JSON Schema of the composed model says about a place ----------------------------------


@lru_cache(maxsize=32)
def json_schema(model: type[BaseModel]) -> Mapping[str, Any]:
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return {}


def node_at(schema: Mapping[str, Any], loc: Loc) -> Mapping[str, Any]:
    """The part of a JSON Schema that describes a place; empty when it is not described."""
    definitions = schema.get("$defs", {})
    nodes = [_resolved(schema, definitions)]
    for part in loc:
        below = [inner for node in nodes for inner in _below(node, part)]
        nodes = [_resolved(node, definitions) for node in below]
    if len(nodes) == 1:
        return nodes[0]
    return {"anyOf": nodes} if nodes else {}


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    if "anyOf" in node:
        return {**node, "anyOf": [_resolved(inner, definitions) for inner in node["anyOf"]]}
    return node


def _below(node: Mapping[str, Any], part: str | int) -> Iterator[Mapping[str, Any]]:
    for option in node.get("anyOf", [node]):
        if isinstance(part, int):
            if isinstance(option.get("items"), dict):
                yield option["items"]
        elif part in option.get("properties", {}):
            yield option["properties"][part]
        else:
            patterns = [*option.get("patternProperties", {}).values(), option.get("additionalProperties")]
            yield from (inner for inner in patterns if isinstance(inner, dict))


def keys_of(node: Mapping[str, Any]) -> list[str]:
    return [key for option in node.get("anyOf", [node]) for key in option.get("properties", {})]


def _names_allowed(schema: Mapping[str, Any], loc: Loc) -> str | None:
    node = node_at(schema, loc[:-1])
    patterns = [name for option in node.get("anyOf", [node]) for name in option.get("patternProperties", {})]
    return f"a name matches {patterns[0]}" if patterns else None


def _allowed(node: Mapping[str, Any]) -> str:
    """A phrase for the values that a JSON Schema allows."""
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(filter(None, map(_allowed, node["anyOf"]))))
    if "enum" in node or "const" in node:
        return ", ".join(f"`{choice}`" for choice in node.get("enum", [node.get("const")]))
    match node.get("type"):
        case "integer":
            return "a whole number" + _range(node)
        case "number":
            return "a number" + _range(node)
        case "string":
            return "text" + (f" that matches {node['pattern']}" if "pattern" in node else "")
        case "boolean":
            return "true or false"
        case "array":
            inner = _allowed(node["items"]) if isinstance(node.get("items"), dict) else ""
            return "a list" + (f" of {inner}" if inner else "")
        case "object":
            return "a block of keys"
        case "null":
            return "nothing (leave the key out)"
    return ""


def _range(node: Mapping[str, Any]) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    limits = [
        f"{word} {limit:g}"
        for word, limit in (("of at least", low), ("above", above), ("below", below), ("up to", high))
        if limit is not None
    ]
    return " " + " and ".join(limits) if limits else ""


def _value_hint(node: Mapping[str, Any], value: Any) -> str | None:
    options = node.get("anyOf", [node])
    if isinstance(value, str):
        choices = [str(choice) for option in options for choice in option.get("enum", [])]
        choices += [str(option["const"]) for option in options if "const" in option]
        close = closest(value, choices)
        if close:
            return f"did you mean `{close}`?"
    wants_text = any(option.get("type") == "string" for option in options)
    if wants_text and isinstance(value, bool | int | float):
        return "put it in quotes to make it text"
    if value is None and any(option.get("type") == "object" for option in options):
        return "write its keys on indented lines, or leave the block out"
    return None
