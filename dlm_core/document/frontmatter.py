"""Frontmatter text to a validated model, with every problem on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ..api import ConfigBlock, Problem, Span
from .blocks import find_blocks
from .explain import explain, show
from .schema import AdapterConfig
from .tree import Tree, dotted, text_problems, value_problems
from .versions import upgrade

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
    views: Mapping[type, Any] = field(default_factory=dict)  # see `Document.views`


def read_frontmatter(text: str, first_line: int, syntax: Literal["yaml", "toml"], plugins: Plugins) -> Frontmatter:
    """Read the text between the delimiters; `first_line` is its first line's number in the file."""
    tree = Tree(problems=list(text_problems(text, first_line)))
    if not tree.problems:
        tree = _read(text, first_line, syntax)
    if tree.data is not None and not (bad := list(value_problems(tree))):
        return _validated(tree, plugins)
    if tree.data is not None:
        tree.problems += bad
    return Frontmatter(find_blocks(plugins).model.model_construct(), {}, _spans(tree), tuple(tree.problems))


def _read(text: str, first_line: int, syntax: Literal["yaml", "toml"]) -> Tree:
    if syntax == "yaml":
        from .yaml_text import read_yaml

        return read_yaml(text, first_line)
    from .toml_text import read_toml

    return read_toml(text, first_line)


def _validated(tree: Tree, plugins: Plugins) -> Frontmatter:
    blocks = find_blocks(plugins)
    model: Any = None
    config: Mapping[str, Any] = {}
    if upgrade(tree):
        tree.problems += blocks.take_clashes(tree)
        try:
            model = blocks.model.model_validate_json(json.dumps(tree.data), strict=True)
            config = model.model_dump(mode="json")
        except ValidationError as error:
            tree.problems += explain(error, blocks.model, tree, blocks.who)
        tree.problems += _adapter_problems(tree)
    good = not any(problem.severity == "error" for problem in tree.problems)
    adapters = tuple(config["training"]["adapters"] or ()) if config else None
    views = blocks.own_views(model) if config else {}
    model = model or blocks.model.model_construct()
    return Frontmatter(
        model, config if good else {}, _spans(tree), tuple(tree.problems), adapters, blocks.at_work, views
    )


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
