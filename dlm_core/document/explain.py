"""Say what the schema found wrong in words: where, what was found, what is allowed, what was probably meant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, PydanticInvalidForJsonSchema, ValidationError

from ..api import Fix, Problem, Span
from ..plugins.registry import Hint
from ..spelling import certain, closest
from .tree import Loc, Place, Tree, dotted

_TOP = Place(Span(1, 1, 3), Span(1, 1, 3))
#: How YAML 1.1 and people write what is `true` or `false` here.
YES_OR_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
#: Old names of keys -> what they are called now.
RENAMED = {"training.dpo": "training.preference"}
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
#: Unknown keys whose meaning is guessed; whoever has more does not need a guess for each.
_MOST_GUESSES = 100
_MISSING_ADVICE = {
    "dlm_id": "`dlm init` makes one; it never changes afterwards",
    "base_model": "name a base: `dlm bases` lists them",
}


Who = Callable[[Loc], Hint | None]


def explain(
    error: ValidationError, model: type[BaseModel], tree: Tree, who: Who, gone: Collection[Loc] = ()
) -> Iterator[Problem]:
    """One problem for each place where validation failed.

    `who` knows about keys that no model has; `gone` are locations whose values were taken out of the tree.
    """
    schema = json_schema(model)
    details = error.errors(include_url=False, include_context=False)
    groups: dict[Loc, list[Any]] = {}
    for detail in details:
        if (loc := written(detail, tree)) not in gone:
            groups.setdefault(loc, []).append(detail)
    parents = {loc[:depth] for loc in groups for depth in range(len(loc))}
    unknown = [loc for loc, group in groups.items() if group[0]["type"] == "extra_forbidden"]
    known = {loc: _meant_key(loc, schema) for loc in unknown[:_MOST_GUESSES]}
    misspelt = {(*loc[:-1], meant) for loc, meant in known.items()}
    for loc, group in groups.items():
        if loc in misspelt and group[0]["type"] == "missing":
            continue  # it is there, under a name that is told
        of_union = all(detail["loc"] != loc for detail in group)
        if not (of_union and loc in parents):  # of a union's branches, the one that got furthest was meant
            yield _problem(loc, group, schema, tree, who, guess=loc in known)


def written(detail: Any, tree: Tree) -> Loc:
    """An error's location without the names of union branches; a missing key counts as written."""
    loc: Loc = ()
    for part in detail["loc"]:
        if (*loc, part) in tree.places:
            loc = (*loc, part)
    return (*loc, detail["loc"][-1]) if detail["type"] == "missing" else loc


def _problem(loc: Loc, details: list[Any], schema: Mapping[str, Any], tree: Tree, who: Who, *, guess: bool) -> Problem:
    kind = details[0]["type"]
    place = tree.places.get(loc, _TOP)
    name = f"`{dotted(loc)}`" + (f" (written as `{place.written}`)" if place.written else "")
    if kind == "missing":
        parent = tree.places.get(loc[:-1], _TOP)
        return Problem(parent.key, f"{name} is missing", _MISSING_ADVICE.get(dotted(loc)), code="DLM0102")
    if kind == "extra_forbidden" and not guess:
        return Problem(place.key, f"unknown key {name}", code="DLM0101")
    if kind == "extra_forbidden":
        return _unknown_key(loc, name, place, schema, tree, who)
    if details[0]["loc"][-1:] == ("[key]",):
        return Problem(
            place.key,
            f"`{loc[-1]}` is not allowed as a name in `{dotted(loc[:-1])}`",
            _names_allowed(schema, loc),
            code="DLM0104",
        )
    value = details[0]["input"]
    if loc == ("dlm_id",):
        return _wrong_id(name, value, place, details[0])
    code = "DLM0104"
    if kind in ("value_error", "assertion_error"):
        reason = details[0]["msg"].partition(", ")[2]
        return Problem(place.value, f"{name} is {show(value)}: {reason}", code=code)
    node = node_at(schema, loc)
    allowed = _allowed(node) or "; or ".join(detail["msg"] for detail in details)
    message = f"{name} is {show(value)}; allowed: {allowed}"
    return Problem(place.value, message, _value_hint(node, value), code=code, fix=_value_fix(node, value, place))


def _wrong_id(name: str, value: Any, place: Place, detail: Any) -> Problem:
    """What an id is, and where it comes from.  One of digits alone is a number until it stands in quotes."""
    if detail["type"] == "value_error":
        reason = detail["msg"].partition(", ")[2]
    else:
        reason = "an id is text of 26 characters (0-9 and A-Z without I, L, O and U)"
    digits = type(value) is int and place.value.width == 26
    advice = "put it in quotes to make it text" if digits else _MISSING_ADVICE["dlm_id"]
    return Problem(place.value, f"{name} is {show(value)}: {reason}", advice, code="DLM0112")


def _meant_key(loc: Loc, schema: Mapping[str, Any]) -> str | None:
    return closest(str(loc[-1]), keys_of(node_at(schema, loc[:-1])))


def _unknown_key(loc: Loc, name: str, place: Place, schema: Mapping[str, Any], tree: Tree, who: Who) -> Problem:
    if hint := who(loc):
        return Problem(place.key, f"{name} needs a plugin that is not at work here", hint.text, code=hint.code)
    key, known = str(loc[-1]), keys_of(node_at(schema, loc[:-1]))
    if renamed := RENAMED.get(dotted(loc)):
        return _renamed(name, renamed, place, known, tree, loc)
    meant = closest(key, known) or _elsewhere(schema, key, loc[:-1])
    listed = f"known here: {', '.join(known)}" if known else None
    advice = f"did you mean `{meant}`?" if meant else listed
    sure = certain(key, known)
    fix = Fix(place.key, sure) if sure and _may_rename(tree, loc, sure, place) else None
    return Problem(place.key, f"unknown key {name}", advice, code="DLM0101", fix=fix)


def _renamed(name: str, new: str, place: Place, known: list[str], tree: Tree, loc: Loc) -> Problem:
    """A key that older versions of the format knew, in a document that says it is of a newer one."""
    parent, _, key = new.rpartition(".")
    fixable = parent == dotted(loc[:-1]) and key in known and _may_rename(tree, loc, key, place)
    fix = Fix(place.key, key) if fixable else None
    return Problem(place.key, f"{name} is the old name of `{new}`", f"write `{key}`", code="DLM0101", fix=fix)


def _may_rename(tree: Tree, loc: Loc, name: str, place: Place) -> bool:
    """Whether a key can become `name` right where it is written: nothing else has that name, and nothing moved it.

    In TOML a table's name may stand in several headers, so that one repair would tear it apart.
    """
    siblings: Any = tree.data
    for part in loc[:-1]:
        siblings = siblings[part]
    torn = tree.syntax == "toml" and isinstance(siblings.get(loc[-1]), dict | list)
    return name not in siblings and not place.written and not torn


def _elsewhere(schema: Mapping[str, Any], key: str, parent: Loc) -> str | None:
    """Where a key that is unknown here is known: at the top, in a block of the top, or one block up."""
    blocks = [block for block in keys_of(schema) if keys_of(node_at(schema, (block,)))]
    for loc in [(key,), *((block, key) for block in blocks)]:
        if loc[:-1] != parent and loc[-1] in keys_of(node_at(schema, loc[:-1])):
            return dotted(loc)
    below = {name: dotted((block, name)) for block in blocks for name in keys_of(node_at(schema, (block,)))}
    meant = closest(key, below) if not parent else None
    return below[meant] if meant else None


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


def _choices(node: Mapping[str, Any]) -> list[str]:
    """The words that a value can be, `true` and `false` among them."""
    options = node.get("anyOf", [node])
    choices = [str(choice) for option in options for choice in option.get("enum", [])]
    choices += [str(option["const"]) for option in options if "const" in option]
    return choices + ["true", "false"] * any(option.get("type") == "boolean" for option in options)


def _value_fix(node: Mapping[str, Any], value: Any, place: Place) -> Fix | None:
    """The choice that a value means beyond doubt.  A value that spans lines or is quoted otherwise is left alone."""
    if not isinstance(value, str) or place.value.width not in (len(value), len(value) + 2):
        return None
    choices = _choices(node)
    sure = certain(value, choices) or (YES_OR_NO.get(value.casefold()) if "true" in choices else None)
    if sure is None:
        return None
    quoted = place.value.width == len(value) + 2 and sure not in ("true", "false")
    return Fix(place.value, f'"{sure}"' if quoted else sure)


def _boolean(value: str, choices: list[str]) -> str | None:
    """What a misspelt yes or no stands for."""
    meant = closest(value, YES_OR_NO) if "true" in choices else None
    return YES_OR_NO[meant] if meant else None


def _value_hint(node: Mapping[str, Any], value: Any) -> str | None:
    options = node.get("anyOf", [node])
    if isinstance(value, str):
        choices = _choices(node)
        said = YES_OR_NO.get(value.casefold()) if "true" in choices else None
        close = said or closest(value, choices) or _boolean(value, choices)
        if close:
            return f"write `{close}`" if said else f"did you mean `{close}`?"
        kinds = {"integer", "number"} & {option.get("type") for option in options}
        if kinds and _NUMBER.fullmatch(value):
            return "write it without quotes to make it a number"
    wants_text = any(option.get("type") == "string" for option in options)
    if wants_text and isinstance(value, bool | int | float):
        return "put it in quotes to make it text"
    if value is None and any(option.get("type") == "object" for option in options):
        return "write its keys on indented lines, or leave the block out"
    return None
