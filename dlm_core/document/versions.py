"""Versions of the format: each one's step brings a frontmatter from the version before up to it, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..api import Problem, Span
from .tree import Place, Tree

VERSION = 15


@dataclass(frozen=True, slots=True)
class Step:
    """What a version brought, and how a frontmatter of the version before changes for it."""

    brought: str
    change: Callable[[Tree], None] | None = None


def upgrade(tree: Tree) -> bool:
    """Bring a frontmatter up to date; whether it makes sense to look at its other keys.

    Problems with `dlm_version` itself are added to the tree.
    """
    assert tree.data is not None
    written = tree.data.get("dlm_version", 1)
    place = tree.places.get(("dlm_version",), Place(Span(1), Span(1)))
    if type(written) is not int or written < 1:
        tree.data["dlm_version"] = VERSION
        message = f"`dlm_version` is {_show(written)}; allowed: a whole number from 1 to {VERSION}"
        tree.problems.append(
            Problem(place.value, message, f"new documents have `dlm_version: {VERSION}`", code="DLM0104")
        )
        return True
    if written > VERSION:
        message = f"`dlm_version` is {str(written)[:20]}, and this DLM reads versions 1 to {VERSION}"
        hint = "the document was made by a newer DLM: pip install --upgrade dlm-core"
        tree.problems.append(Problem(place.value, message, hint, code="DLM0111"))
        return False
    for version in range(written + 1, VERSION + 1):
        if change := STEPS[version].change:
            change(tree)
    tree.data["dlm_version"] = VERSION
    return True


def _show(value: Any) -> str:
    return f"`{str(value)[:40]}`" if not isinstance(value, dict | list) else "a block or list"


def _rename_dpo(tree: Tree) -> None:
    """`training.dpo` becomes `training.preference`, its numbers go under `hyperparams`."""
    training = (tree.data or {}).get("training")
    if not isinstance(training, dict) or "dpo" not in training:
        return
    old, new = ("training", "dpo"), ("training", "preference")
    if "preference" in training:
        span = tree.places[old].key
        message = "`training.dpo` is the old name of `training.preference`, and both are here"
        tree.problems.append(Problem(span, message, "keep `training.preference`", code="DLM0115"))
        del training["dpo"]
        return
    tree.move(old, new)
    moved = training["preference"]
    if not isinstance(moved, dict):
        return
    if moved.get("reference") == "pre_dpo_adapter":
        moved["reference"] = "pre_adapter"
    for name in ("beta", "learning_rate", "num_epochs"):
        if name in moved and isinstance(moved.get("hyperparams", {}), dict):
            tree.move((*new, name), (*new, "hyperparams", name))


STEPS: Mapping[int, Step] = {
    1: Step("the first version"),
    2: Step("training.dpo renamed to training.preference", _rename_dpo),
    3: Step("training.cpt"),
    4: Step("training.adapters"),
    5: Step("training.precision"),
    6: Step("training.sources"),
    7: Step("the harvest marker"),
    8: Step("training.gate"),
    9: Step("training.cache"),
    10: Step("image sections"),
    11: Step("audio sections and training.audio"),
    12: Step("training.audio.auto_resample"),
    13: Step("more base models"),
    14: Step("the auto-mined marker"),
    15: Step("the auto-synth marker"),
}
