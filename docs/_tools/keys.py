"""The table of frontmatter keys, from the schema that core and the plugins of this repository compose."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from commands import escaped, plugins

from dlm_core.document.compose import Mount, compose

Schema = Mapping[str, Any]

TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def schema() -> Schema:
    mounts = [Mount(block.path, block.model(), name) for name, block in plugins().config_blocks.items()]
    found: Schema = compose(tuple(mounts)).model.model_json_schema()
    return found


def table() -> str:
    whole = schema()
    rows = [
        f"| `{path}` | {escaped(kind(found))} | {default(found, required)} | {escaped(found.get('description', ''))} |"
        for path, found, required in walk(whole, whole)
    ]
    return "\n".join(["| key | type and range | default | |", "|---|---|---|---|", *rows])


def walk(block: Schema, whole: Schema, above: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Each key with its dotted path, depth first: (path, schema of the key, whether it must be there)."""
    for name, found in block["properties"].items():
        path, inner = f"{above}{name}", resolved(found, whole)
        if "properties" in inner:
            yield from walk(inner, whole, f"{path}.")
            continue
        yield path, found, name in block.get("required", ())
        for part, mark in below(inner, whole):
            yield from walk(part, whole, f"{path}{mark}.")


def resolved(found: Schema, whole: Schema) -> Schema:
    """The schema behind a reference, and the one kind of value behind "or nothing"."""
    if "$ref" in found:
        return {**whole["$defs"][found["$ref"].rpartition("/")[2]]}
    real = [choice for choice in found.get("anyOf", ()) if choice.get("type") != "null"]
    return resolved(real[0], whole) if len(real) == 1 else found


def below(found: Schema, whole: Schema) -> Iterator[tuple[Schema, str]]:
    """Blocks inside a list or a table of blocks, and how a path shows that."""
    if "$ref" in found.get("items", {}):
        yield resolved(found["items"], whole), "[]"
    for inner in found.get("patternProperties", {}).values():
        yield resolved(inner, whole), ".NAME"


def kind(found: Schema) -> str:
    """Type and range of a key, in words."""
    if "anyOf" in found:
        return " or ".join(kind(choice) for choice in found["anyOf"] if choice.get("type") != "null")
    if "const" in found:
        return f"`{found['const']}`"
    if "enum" in found:
        return ", ".join(f"`{value}`" for value in found["enum"])
    if found.get("type") == "array":
        items = found.get("items", {})
        return "list of blocks" if "$ref" in items else f"list of {TYPES[items['type']]}"
    if "patternProperties" in found:
        return "names, each with a block"
    return (TYPES.get(found.get("type", ""), "") + span(found)).strip()


def span(found: Schema) -> str:
    """The range of a number."""
    low, high, above = (found.get(name) for name in ("minimum", "maximum", "exclusiveMinimum"))
    if above is not None:
        return f" above {above:g}" + (f", up to {high:g}" if high is not None else "")
    if low is not None and high is not None:
        return f" {low:g} to {high:g}" if abs(high) < 2**32 else ""
    return f", {low:g} or more" if low is not None else ""


def default(found: Schema, required: bool) -> str:
    if required:
        return "required"
    value = found.get("default")
    return "none" if value is None or value == [] else f"`{value if isinstance(value, str) else json.dumps(value)}`"
