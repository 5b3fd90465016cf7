"""Compare a changed document with the intention behind the change."""

from __future__ import annotations

import json
from typing import Any, Literal

from ..api import DlmError, DocumentError, Problem
from ..document.text import Parts, divide
from ..document.toml_text import read_toml
from ..document.tree import Tree, text_problems, value_problems
from ..document.yaml_text import read_yaml
from .lines import PLACE, plain

Syntax = Literal["yaml", "toml"]


class EditError(DlmError):
    """A change cannot be made without touching more than was asked; nothing was changed."""

    def __init__(self, message: str, hint: str | None = "change it by hand, then `dlm check` it") -> None:
        super().__init__(message, hint)


def parts_in(data: bytes) -> tuple[str, Parts]:
    """The text of a document, and where its frontmatter and body are.  Raises DocumentError."""
    text = plain(data)
    parts = divide(text)
    if isinstance(parts, Problem):
        raise DocumentError(PLACE, [parts])
    return text, parts


def read_tree(text: str, syntax: Syntax) -> Tree:
    """A frontmatter's values, whatever they are, and their places.  Raises DocumentError when it cannot be read."""
    problems = list(text_problems(text, 2))
    tree = Tree(problems=problems) if problems else read_yaml(text, 2) if syntax == "yaml" else read_toml(text, 2)
    if tree.data is None or tree.problems:
        raise DocumentError(PLACE, tree.problems)
    return tree


def keeps(text: str, syntax: Syntax, expected: dict[str, Any]) -> bool:
    """Whether a frontmatter reads without problems as just these values."""
    try:
        tree = read_tree(text, syntax)
    except DocumentError:
        return False
    return same(tree.data, expected) and not any(value_problems(tree))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same types all through."""
    return _key(one) == _key(other)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
