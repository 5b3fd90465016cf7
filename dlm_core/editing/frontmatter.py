"""Set and remove keys of a frontmatter, YAML or TOML, with the result read again before anybody gets it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from ..api import Problem, UsageError
from ..document.text import divide
from ..document.tree import Loc, dotted
from . import toml_edit, yaml_edit
from .intact import EditError, Syntax, keeps, parts_in, read_tree
from .lines import Change, apply, plain
from .yaml_values import Value

Ways = Iterator[tuple[Change, ...]]

#: Behind the delimiter and its line end.
_START = 4


def set_value(
    data: bytes, key: str | Loc, value: Any, *, spelling: str | None = None, after: str | None = None
) -> bytes:
    """The document with the key, dotted or as a location, set to a JSON value.

    `spelling` is how to write it where that reads as the same value; `after` the key at the top that a new one at the
    top comes behind.  A number in `key` is an index into a list.  Raises DocumentError when the frontmatter cannot be
    read, UsageError when the key cannot stand there, EditError when nothing else could be kept.
    """
    _, parts = parts_in(data)
    tree = read_tree(parts.frontmatter, parts.syntax)
    loc = location(key, tree.data)
    if value is None and parts.syntax == "toml":
        return remove_key(data, loc) if has_key(tree.data, loc) else data
    expected = copy.deepcopy(tree.data or {})
    before = _put(expected, loc, value)
    edit = yaml_edit if parts.syntax == "yaml" else toml_edit
    ways = edit.set_changes(parts.frontmatter, loc, Value(value, spelling, before), after)
    return first_that_keeps(data, parts.syntax, ways, expected, f"`{dotted(loc)}` cannot be set")


def remove_key(data: bytes, key: str | Loc) -> bytes:
    """The document without the key, and without the blocks and lists around it that would be left empty.

    Raises UsageError when it is not there, and what `set_value` raises.
    """
    _, parts = parts_in(data)
    tree = read_tree(parts.frontmatter, parts.syntax)
    loc = location(key, tree.data)
    if not has_key(tree.data, loc):
        raise UsageError(f"`{dotted(loc)}` is not in the frontmatter", "`dlm show` lists what a document says")
    expected = copy.deepcopy(tree.data or {})
    while len(loc) > 1 and len(_at(expected, loc[:-1])) == 1:
        loc = loc[:-1]
    del _at(expected, loc[:-1])[loc[-1]]
    edit = yaml_edit if parts.syntax == "yaml" else toml_edit
    what = f"`{dotted(loc)}` cannot be removed"
    return first_that_keeps(data, parts.syntax, edit.remove_changes(parts.frontmatter, loc), expected, what)


def key_location(data: bytes, key: str) -> Loc:
    """Where a dotted key points in a document.  Raises DocumentError when its frontmatter cannot be read."""
    _, parts = parts_in(data)
    return location(key, read_tree(parts.frontmatter, parts.syntax).data)


def location(key: str | Loc, data: Any) -> Loc:
    """A dotted key as a location in these values: what stands behind a list is an index."""
    if not isinstance(key, str):
        return key
    loc: Loc = ()
    for part in key.split("."):
        is_index = part.isdecimal() and part.isascii() and isinstance(data, list)
        name = int(part) if is_index else part
        loc = (*loc, name)
        data = _at(data, (name,)) if has_key(data, (name,)) else None
    return loc


def has_key(data: Any, loc: Loc) -> bool:
    """Whether a value is written at a location."""
    try:
        _at(data, loc)
    except (LookupError, TypeError):
        return False
    return True


def first_that_keeps(data: bytes, syntax: Syntax, ways: Ways, expected: dict[str, Any], what: str) -> bytes:
    """The result of the first way after which the frontmatter reads as expected and the body has the same bytes.

    Raises EditError, which says `what` cannot be done, when there is none.
    """
    text = plain(data)
    old = divide(text)
    for changes in ways:
        done = apply(data, moved(changes))
        new_text = plain(done)
        new = divide(new_text)
        if isinstance(old, Problem) or isinstance(new, Problem) or new_text[new.body :] != text[old.body :]:
            continue
        if new.syntax == syntax and keeps(new.frontmatter, syntax, expected):
            return done
    raise EditError(f"{what} without changing more than that")


def moved(changes: Iterable[Change]) -> Iterator[Change]:
    """Changes of the frontmatter's text as changes of the document's."""
    return (Change(change.start + _START, change.end + _START, change.text) for change in changes)


def _at(data: Any, loc: Loc) -> Any:
    for name in loc:
        if isinstance(name, int) is not isinstance(data, list):
            raise LookupError(name)
        data = data[name]
    return data


def _put(data: Any, loc: Loc, value: Any) -> Any:
    """Set a value in plain data, with the blocks around it; what was there before.  Nothing when it cannot be."""
    for name in loc[:-1]:
        if isinstance(data, dict) and isinstance(name, str):
            if data.get(name) is None:
                data[name] = {}
            data = data[name]
        elif isinstance(data, list) and isinstance(name, int) and name < len(data):
            data = data[name]
        else:
            return None
    before = None
    if isinstance(data, dict) and isinstance(loc[-1], str):
        before = data.get(loc[-1])
        data[loc[-1]] = value
    elif isinstance(data, list) and isinstance(loc[-1], int) and loc[-1] < len(data):
        before = data[loc[-1]]
        data[loc[-1]] = value
    return before
