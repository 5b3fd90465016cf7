"""What can still be read of a frontmatter that is refused, so that the rest of the document is checked with it."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

from pydantic import BaseModel, ValidationError

from .explain import written
from .tree import Loc, Tree

#: What stands in for the two keys a document must have, where they are missing or wrong.
_REQUIRED = {"dlm_id": "0" * 26, "base_model": "none"}
#: Problems of a text that is not understood as a whole though some of its keys may be.
READABLE_IN_PARTS = frozenset({"DLM0107", "DLM0108", "DLM0110"})
_TOP_KEY = re.compile(r"^[A-Za-z_\"']", re.MULTILINE)
_MOST_PARTS = 200
#: Characters that YAML counts as line ends and nobody else does.  Each is told as a problem already.
_YAML_ONLY_LINE_ENDS = str.maketrans(dict.fromkeys("\x85\u2028\u2029", " "))


def read_parts(text: str, first_line: int, broken: Tree, known: Collection[str]) -> Tree:
    """The top-level keys of a broken YAML frontmatter, each read on its own; those that cannot be read are left out.

    Behind the first problem only `known` keys count: what looks like another may be part of a value.
    """
    from .yaml_text import read_yaml

    whole = Tree({}, problems=list(broken.problems))
    assert whole.data is not None
    first = min(problem.span.line for problem in broken.problems)
    text = text.translate(_YAML_ONLY_LINE_ENDS)  # so that lines and columns are those of the file
    starts = [found.start() for found in islice(_TOP_KEY.finditer(text), _MOST_PARTS)]
    for begin, end in pairwise([*starts, len(text)]):
        line = first_line + text.count("\n", 0, begin)
        part = read_yaml(text[begin:end], line)
        if not part.data or part.problems:
            continue
        for key, value in part.data.items():
            if key not in whole.data and (line <= first or key in known):
                whole.data[key] = value
                whole.places |= {loc: place for loc, place in part.places.items() if loc[0] == key}
    return whole


def salvage(tree: Tree, model: type[BaseModel]) -> BaseModel | None:
    """The model of what is right in `tree`, which loses what is not; None when that does not help."""
    assert tree.data is not None
    for _ in range(8):
        try:
            return model.model_validate_json(json.dumps({**_REQUIRED, **tree.data}), strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            wrong = {_culprit(written(detail, tree), tree) for detail in details}
            drop(tree, wrong)
    return None


def drop(tree: Tree, wrong: Collection[Loc]) -> None:
    """Take the values at these locations out; what follows one in a list moves up, with its places."""
    gone = {loc for loc in wrong if loc in tree.places}
    for loc in sorted(gone, reverse=True):
        if not any(loc[:depth] in gone for depth in range(1, len(loc))):
            del _parent(tree, loc)[loc[-1]]
    places = {at: place for at, place in tree.places.items() if not any(at[:n] in gone for n in range(1, len(at) + 1))}
    numbers: dict[Loc, list[int]] = {}
    for loc in sorted(loc for loc in gone if isinstance(loc[-1], int)):
        numbers.setdefault(loc[:-1], []).append(_number(loc))
    tree.places.clear()
    tree.places.update({_moved_up(at, numbers): place for at, place in places.items()} if numbers else places)


def _parent(tree: Tree, loc: Loc) -> Any:
    node: Any = tree.data
    for part in loc[:-1]:
        node = node[part]
    return node


def copy_of(tree: Tree) -> Tree:
    """A tree that can be changed without changing this one."""
    return replace(tree, data=json.loads(json.dumps(tree.data, default=str)), places=dict(tree.places))


def _culprit(loc: Loc, tree: Tree) -> Loc:
    """What is written at a location; for a missing key, the block that lacks it."""
    return loc if loc in tree.places else loc[:-1]


def _moved_up(at: Loc, gone: Mapping[Loc, list[int]]) -> Loc:
    """Where a location is after those in lists before it have gone: list -> their numbers, rising."""
    return tuple(
        part - bisect_left(gone.get(at[:depth], []), part) if isinstance(part, int) else part
        for depth, part in enumerate(at)
    )


def _number(loc: Loc) -> int:
    assert isinstance(loc[-1], int)
    return loc[-1]
