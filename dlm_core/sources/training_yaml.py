"""`.dlm/training.yaml`: what a folder says about how its files are learned (FORMAT §4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ..api import DocumentError, Problem
from ..document.explain import explain
from ..document.schema import Block
from ..document.text import decode
from ..document.tree import Tree, text_problems, value_problems
from ..document.yaml_text import read_yaml
from .globs import Globs, compile_globs

Factor = Annotated[float, Field(ge=0)]


class TrainingFile(Block):
    """The keys of the file.  A tag's value may be written as a number or as true and false; it counts as text."""

    dlm_training_version: Literal[1] = 1
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_defaults: bool = True
    metadata: Mapping[str, str | bool | int | float] = Field(default_factory=dict)
    weights: Mapping[str, Mapping[str, Factor]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """The file, read.  `defaults` is None when the key is not written; `lines` has the line of each exclude."""

    file: str
    include: Globs | None
    exclude: Globs | None
    defaults: bool | None
    tags: Mapping[str, str]
    weights: Mapping[str, Mapping[str, float]]
    lines: Mapping[str, int]


def read_training_yaml(data: bytes, path: str) -> FolderConfig:
    """Raises DocumentError with everything that is wrong with it."""
    file = Path(path)
    text, _ = decode(data, file)
    tree = Tree(problems=list(text_problems(text, 1)))
    if not tree.problems:
        tree = read_yaml(text, 1)
    if tree.data is not None:
        tree.problems += value_problems(tree)
    if not tree.problems:
        try:
            return _config(tree, path)
        except ValidationError as error:
            tree.problems += explain(error, TrainingFile, tree, lambda loc: None)
        except ValueError as error:
            tree.problems.append(Problem(_where(tree), str(error), code="DLM0508"))
    raise DocumentError(file, [_reworded(problem, file) for problem in tree.problems])


def _config(tree: Tree, path: str) -> FolderConfig:
    found = TrainingFile.model_validate(_tuples(tree.data), strict=True)
    lines = {
        pattern: tree.places["exclude", index].value.line
        for index, pattern in enumerate(found.exclude)
        if ("exclude", index) in tree.places
    }
    return FolderConfig(
        path,
        compile_globs(found.include) if found.include else None,
        compile_globs(found.exclude) if found.exclude else None,
        found.exclude_defaults if "exclude_defaults" in found.model_fields_set else None,
        {tag: _text(value) for tag, value in found.metadata.items()},
        found.weights,
        lines,
    )


def _tuples(data: Any) -> Any:
    """Lists as tuples, which the strict model wants."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in (data or {}).items()}


def _text(value: str | bool | int | float) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _where(tree: Tree) -> Any:
    place = tree.places.get(("exclude",)) or tree.places.get(("include",))
    assert place is not None
    return place.value


def _reworded(problem: Problem, file: Path) -> Problem:
    """Words that are about a document's frontmatter, said of this file."""
    message = problem.message.replace("in a frontmatter", "here").replace("the frontmatter", "the file")
    hint = (problem.hint or "").replace("start with `dlm_id: …`", "start with `dlm_training_version: 1`")
    hint = hint.replace("a frontmatter", "this file")
    return replace(problem, file=file, message=message, hint=hint or None)
