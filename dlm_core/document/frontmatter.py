"""Frontmatter text to a validated model, with every problem on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ..api import ConfigBlock, Problem, Span
from ..plugins.registry import Hint
from .compose import Composed, Mount, compose
from .explain import explain, show
from .schema import AdapterConfig
from .toml_text import read_toml
from .tree import Loc, Tree, dotted, text_problems, value_problems
from .versions import upgrade
from .yaml_text import read_yaml

if TYPE_CHECKING:
    from ..plugins import Plugins


@dataclass(frozen=True, slots=True)
class Frontmatter:
    """A frontmatter that was read.  `model` holds only defaults when an error is among the problems."""

    model: Any
    config: Mapping[str, Any]
    spans: Mapping[str, Span]
    problems: tuple[Problem, ...] = ()
    adapters: tuple[str, ...] | None = None  # those declared; None when an error hides them
    blocks: Mapping[str, ConfigBlock] = field(default_factory=dict)  # those of plugins that found their place


def read_frontmatter(text: str, first_line: int, syntax: Literal["yaml", "toml"], plugins: Plugins) -> Frontmatter:
    """Read the text between the delimiters; `first_line` is its first line's number in the file."""
    tree = Tree(problems=list(text_problems(text, first_line)))
    if not tree.problems:
        tree = read_yaml(text, first_line) if syntax == "yaml" else read_toml(text, first_line)
    if tree.data is not None and not (bad := list(value_problems(tree))):
        return _validated(tree, plugins)
    if tree.data is not None:
        tree.problems += bad
    composed, _ = _schema_for(plugins)
    return Frontmatter(composed.model.model_construct(), {}, _spans(tree), tuple(tree.problems))


def _validated(tree: Tree, plugins: Plugins) -> Frontmatter:
    composed, broken = _schema_for(plugins)
    model, config = composed.model.model_construct(), {}
    if upgrade(tree):
        try:
            model = composed.model.model_validate_json(json.dumps(tree.data), strict=True)
            config = model.model_dump(mode="json")
        except ValidationError as error:
            who = _Owners(plugins, composed, broken)
            tree.problems += explain(error, composed.model, tree, who)
        tree.problems += _adapter_problems(tree)
    good = not any(problem.severity == "error" for problem in tree.problems)
    adapters = tuple(config["training"]["adapters"] or ()) if config else None
    blocks = {
        name: block
        for name, block in plugins.config_blocks.items()
        if block.path not in broken and not composed.leaves_out(block.path)
    }
    return Frontmatter(model, config if good else {}, _spans(tree), tuple(tree.problems), adapters, blocks)


def _schema_for(plugins: Plugins) -> tuple[Composed, dict[str, Hint]]:
    """The composed schema, and a hint for each block whose plugin failed to give a usable model."""
    mounts, broken = [], {}
    for name, block in plugins.config_blocks.items():
        owner = plugins.config_blocks.owner(name).label
        try:
            model = block.model()
            model()
        except Exception as error:
            broken[block.path] = Hint(f"provided by {owner}, which failed: {type(error).__name__}: {error}", "DLM0303")
            continue
        mounts.append(Mount(block.path, model, owner))
    return compose(tuple(mounts)), broken


class _Owners:
    """Knows about keys that the composed schema lacks: who would provide them and why they do not."""

    def __init__(self, plugins: Plugins, composed: Composed, broken: Mapping[str, Hint]) -> None:
        self.plugins, self.composed, self.broken = plugins, composed, broken

    def __call__(self, loc: Loc) -> Hint | None:
        key = dotted(loc)
        if key in self.composed.left_out:
            return Hint(self.composed.left_out[key], "DLM0304")
        parent = key.rpartition(".")[0]
        if hint := self.broken.get(key) or self.broken.get(parent):
            return hint
        found: Hint | None = self.plugins.hint("config block", key)
        if found is None and parent in self.plugins.config_blocks.clashes:
            found = self.plugins.hint("config block", parent)
        return found


def _adapter_problems(tree: Tree) -> Iterator[Problem]:
    """The rules between `training.adapters` and the settings of the one unnamed adapter."""
    training = (tree.data or {}).get("training")
    adapters = training.get("adapters") if isinstance(training, dict) else None
    if not isinstance(adapters, dict):
        return
    assert isinstance(training, dict)
    place = tree.places["training", "adapters"]
    if not adapters:
        message = "`training.adapters` is empty"
        yield Problem(place.key, message, "leave it out to train one adapter", code="DLM0114")
    defaults = AdapterConfig().model_dump(mode="json")
    changed = [name for name, value in defaults.items() if name in training and training[name] != value]
    if changed:
        listed = ", ".join(f"`training.{name}` = {show(training[name])}" for name in changed)
        message = f"with `training.adapters`, each adapter has its own settings, but here stands {listed}"
        first = min(tree.places["training", name].key for name in changed)
        yield Problem(first, message, "move it under the adapters it is meant for", code="DLM0113")


def _spans(tree: Tree) -> dict[str, Span]:
    return {dotted(loc): place.key for loc, place in tree.places.items()}
