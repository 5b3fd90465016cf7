"""The plain attributes of what a plugin gives are of the kind that its interface says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..api import Attr, Option


def _strings(value: Any) -> bool:
    return not isinstance(value, str) and all(isinstance(one, str) for one in value)


def _mapping(of: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(isinstance(one, of) for one in value.values())


#: An annotation, as Python keeps it -> what holds of such a value, and what to call it.
KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a string"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "frozenset[str]": (lambda value: isinstance(value, set | frozenset) and _strings(value), "a set of strings"),
    "tuple[str, ...]": (lambda value: isinstance(value, tuple) and _strings(value), "a tuple of strings"),
    "Mapping[str, Attr]": (_mapping(Attr), "a mapping of names to Attr"),
    "Mapping[str, Option]": (_mapping(Option), "a mapping of names to Option"),
    "Mapping[str, Mapping[str, Any]]": (_mapping(Mapping), "a mapping of names to mappings"),
    "Mapping[str, Any]": (_mapping(object), "a mapping"),
    "Path | None": (lambda value: value is None or isinstance(value, Path), "a path or None"),
    "Literal['required', 'optional', 'forbidden']": (
        lambda value: value in ("required", "optional", "forbidden"),
        "'required', 'optional' or 'forbidden'",
    ),
}

_MISSING = object()


def attributes_of(interface: type) -> Mapping[str, str]:
    """The data attributes of an interface, each with its annotation as written."""
    return {name: re.sub(r"^ClassVar\[(.*)\]$", r"\1", text) for name, text in interface.__annotations__.items()}


def wrong_attribute(value: object, interface: type) -> str:
    """What is wrong with the first attribute of `value` that is not what `interface` says; nothing if all are."""
    for name, annotation in attributes_of(interface).items():
        holds, kind = KINDS[annotation]
        found = getattr(value, name, _MISSING)
        if found is _MISSING:
            return f"{type(value).__name__} has no {name}: it must be {kind}"
        if not holds(found):
            return f"{type(value).__name__}.{name} is {found!r}, not {kind}"
    return ""
