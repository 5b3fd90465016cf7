"""Frontmatter text to a validated model, with every problem on the way."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from ..api import ConfigBlock, Problem, Span
from .blocks import find_blocks
from .explain import explain, show
from .salvage import READABLE_IN_PARTS, copy_of, drop, read_parts, salvage
from .schema import AdapterConfig
from .tree import Loc, Tree, dotted, text_problems, wrong_values
from .versions import VERSION, upgrade

if TYPE_CHECKING:
    from ..plugins import Plugins


@dataclass(frozen=True, slots=True)
class Frontmatter:
    """A frontmatter that was read.

    With an error among the problems, `model` and `config` hold what is right in it, and defaults; `config` is empty
    when nothing could be understood, and its `base_model` is empty when that is wrong or missing.
    """

    model: Any
    config: Mapping[str, Any]
    spans: Mapping[str, Span]
    problems: tuple[Problem, ...] = ()
    adapters: tuple[str, ...] | None = None  # those declared; None when an error hides them
    blocks: Mapping[str, ConfigBlock] = field(default_factory=dict)  # those of plugins that found their place
    views: Mapping[type, Any] = field(default_factory=dict)  # see `Document.views`
    values: Mapping[str, Span] = field(default_factory=dict)


def read_frontmatter(text: str, first_line: int, syntax: Literal["yaml", "toml"], plugins: Plugins) -> Frontmatter:
    """Read the text between the delimiters; `first_line` is its first line's number in the file."""
    tree = Tree(problems=list(text_problems(text, first_line)))
    if not tree.problems:
        tree = _read(text, first_line, syntax)
    if tree.data is None and syntax == "yaml" and all(p.code in READABLE_IN_PARTS for p in tree.problems):
        known = find_blocks(plugins).model.model_fields
        return _in_parts(read_parts(text, first_line, tree, known), plugins)
    if tree.data is None:
        return Frontmatter(find_blocks(plugins).model.model_construct(), {}, _spans(tree)[0], tuple(tree.problems))
    wrong = dict(wrong_values(tree))
    if wrong:
        tree.problems += wrong.values()
        drop(tree, wrong)
    return _validated(tree, plugins, wrong)


def _in_parts(tree: Tree, plugins: Plugins) -> Frontmatter:
    """What is known of a frontmatter that is broken somewhere: a key that is missing may stand just there."""
    assert tree.data is not None
    has_adapters = "training" in tree.data
    found = _validated(tree, plugins)
    problems = tuple(problem for problem in found.problems if problem.code != "DLM0102" or problem.span.line > 1)
    return replace(found, problems=problems, adapters=found.adapters if has_adapters else None)


def _read(text: str, first_line: int, syntax: Literal["yaml", "toml"]) -> Tree:
    if syntax == "yaml":
        from .yaml_text import read_yaml

        return read_yaml(text, first_line)
    from .toml_text import read_toml

    return read_toml(text, first_line)


def _validated(tree: Tree, plugins: Plugins, gone: Collection[Loc] = ()) -> Frontmatter:
    """`gone` are the locations of values that were taken out already, whose absence is no further problem."""
    blocks = find_blocks(plugins)
    model: Any = None
    config: Mapping[str, Any] = {}
    if upgrade(tree):
        tree.problems += blocks.take_clashes(tree)
        try:
            model = blocks.model.model_validate_json(json.dumps(tree.data), strict=True)
            config = model.model_dump(mode="json")
        except ValidationError as error:
            tree.problems += explain(error, blocks.model, tree, blocks.who, gone)
        tree.problems += _adapter_problems(tree)
    adapters = tuple(config["training"]["adapters"] or ()) if config else None
    places, problems = tree, tuple(tree.problems)
    if not config and tree.data and tree.data.get("dlm_version") == VERSION:
        places, model, config = _salvaged(tree, blocks.model)
    views = blocks.own_views(model) if config else {}
    model = model or blocks.model.model_construct()
    keys, values = _spans(places)
    return Frontmatter(model, config, keys, problems, adapters, blocks.at_work, views, values)


def _salvaged(tree: Tree, schema: type[BaseModel]) -> tuple[Tree, Any, Mapping[str, Any]]:
    """What is right in a frontmatter that is refused, with its model and config."""
    rest = copy_of(tree)
    model = salvage(rest, schema)
    if model is None:
        return tree, None, {}
    config = model.model_dump(mode="json")
    config["base_model"] = (rest.data or {}).get("base_model", "")
    return rest, model, config


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


def _spans(tree: Tree) -> tuple[dict[str, Span], dict[str, Span]]:
    """Where each dotted key stands, and where its value does."""
    places = {dotted(loc): place for loc, place in tree.places.items()}
    return {key: place.key for key, place in places.items()}, {key: place.value for key, place in places.items()}
