"""Bring a document's text up to the newest version of the format: the steps that every read makes in memory."""

from __future__ import annotations

import copy
from typing import Any

from ..api import DocumentError
from ..document.tree import Loc
from ..document.versions import VERSION, upgrade
from . import toml_edit, yaml_edit
from .frontmatter import first_that_keeps, has_key, remove_key, set_value
from .intact import EditError, parts_in, read_tree, same
from .lines import PLACE

_DPO: Loc = ("training", "dpo")
_PREFERENCE: Loc = ("training", "preference")


def version_of(data: bytes) -> int:
    """The version that a document is written in.

    Raises DocumentError when its frontmatter cannot be read or its version is none that there is.
    """
    _, parts = parts_in(data)
    tree = read_tree(parts.frontmatter, parts.syntax)
    written = (tree.data or {}).get("dlm_version", 1)
    if not upgrade(tree) or tree.problems:
        raise DocumentError(PLACE, tree.problems)
    return int(written)


def migrate(data: bytes) -> bytes:
    """The document in the newest version, its body and all that need not change byte for byte the same.

    Raises DocumentError as `version_of` does, EditError when the text would read as anything else than the old one.
    """
    version = version_of(data)
    if version == VERSION:
        return data
    wanted = _upgraded(data)
    if version < 2 and has_key(_written(data), _DPO):
        data = _rename_dpo(data)
    data = set_value(data, "dlm_version", VERSION, after="dlm_id")
    if not same(_written(data), wanted):
        raise EditError(f"the document cannot be written in version {VERSION}")
    return data


def _written(data: bytes) -> dict[str, Any]:
    _, parts = parts_in(data)
    return read_tree(parts.frontmatter, parts.syntax).data or {}


def _upgraded(data: bytes) -> dict[str, Any]:
    _, parts = parts_in(data)
    tree = read_tree(parts.frontmatter, parts.syntax)
    upgrade(tree)
    return tree.data or {}


def _rename_dpo(data: bytes) -> bytes:
    """`training.dpo` as `training.preference`: the key renamed where it stands, its numbers moved by their lines."""
    data = _renamed(data)
    block = _written(data)["training"]["preference"]
    if not isinstance(block, dict):
        return data
    if block.get("reference") == "pre_dpo_adapter":
        data = set_value(data, (*_PREFERENCE, "reference"), "pre_adapter")
    if isinstance(block.get("hyperparams", {}), dict):
        for name in ("beta", "learning_rate", "num_epochs"):
            if name in block:
                data = _moved(data, (*_PREFERENCE, name), (*_PREFERENCE, "hyperparams", name))
    return data


def _renamed(data: bytes) -> bytes:
    _, parts = parts_in(data)
    expected = copy.deepcopy(_written(data))
    expected["training"]["preference"] = expected["training"].pop("dpo")
    edit = yaml_edit if parts.syntax == "yaml" else toml_edit
    ways = edit.rename_changes(parts.frontmatter, _DPO, "preference")
    return first_that_keeps(data, parts.syntax, ways, expected, "`training.dpo` cannot be renamed")


def _moved(data: bytes, old: Loc, new: Loc) -> bytes:
    """A key with its value and its comments in another place."""
    _, parts = parts_in(data)
    values = _written(data)
    value: Any = values
    for name in old:
        value = value[name]
    if parts.syntax == "yaml":
        expected = copy.deepcopy(values)
        del expected["training"]["preference"][old[-1]]
        expected["training"]["preference"].setdefault("hyperparams", {})
        expected["training"]["preference"]["hyperparams"] = {
            **(expected["training"]["preference"]["hyperparams"] or {}),
            new[-1]: value,
        }
        try:
            ways = yaml_edit.move_changes(parts.frontmatter, old, new)
            return first_that_keeps(data, parts.syntax, ways, expected, "")
        except EditError:
            pass  # not written in lines of their own: the value alone moves
    edit = yaml_edit if parts.syntax == "yaml" else toml_edit
    spelling = edit.source_of(parts.frontmatter, old)
    one_line = spelling if spelling and "\n" not in spelling else None
    return remove_key(set_value(data, new, value, spelling=one_line), old)
