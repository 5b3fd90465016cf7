"""Build the document's schema from core's models and the blocks that plugins mount into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from .schema import Frontmatter

_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Mount:
    """A plugin's model, the dotted key it belongs at, and the plugin's name."""

    path: str
    model: type[BaseModel]
    plugin: str

    @property
    def is_new(self) -> bool:
        """Whether it makes a block; otherwise it adds keys to one of core's."""
        return block_at(Frontmatter, self.path.split(".")) is None

    @property
    def fields(self) -> list[str]:
        """The dotted keys of its model."""
        return [f"{self.path}.{name}" for name in self.model.model_fields]


@dataclass(frozen=True, slots=True)
class Composed:
    """The composed model; the mounts in it; the keys that two plugins claim, which nobody may write; what is wrong
    with mounts that cannot be in any model; and mounts that lie in a block which nobody at work provides."""

    model: type[BaseModel]
    mounts: tuple[Mount, ...] = ()
    twice: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[tuple[Mount, str], ...] = ()
    homeless: tuple[Mount, ...] = ()

    def keys(self, mount: Mount) -> list[str]:
        """What a mount in the model adds to the format: a new block, or keys in one of core's."""
        return [mount.path] if mount.is_new else [key for key in mount.fields if key not in self.twice]


@lru_cache(maxsize=32)
def compose(mounts: tuple[Mount, ...]) -> Composed:
    """Core's schema with every mount that has a place.  A key claimed by two plugins belongs to neither: a block is
    left out, a key of a block keeps its default."""
    faults = tuple((mount, reason) for mount in mounts if (reason := _fault(mount)))
    faulty = [mount for mount, _ in faults]
    good = [mount for mount in mounts if mount not in faulty]
    twice = _claimed_twice(good)
    kept: list[Mount] = []
    for mount in sorted(good, key=lambda mount: mount.path.count(".")):
        if not (mount.is_new and mount.path in twice) and _has_parent(mount, kept):
            kept.append(mount)
    kept.sort(key=good.index)
    placed = [(mount.path.split("."), mount.model) for mount in kept]
    homeless = tuple(mount for mount in good if not _has_parent(mount, kept) and not _inside(mount.path, twice))
    return Composed(_mounted(Frontmatter, placed, frozenset(twice)), tuple(kept), twice, faults, homeless)


def block_at(root: type[BaseModel], path: Iterable[str]) -> type[BaseModel] | None:
    """The model of the block at a path, or None when there is no such block."""
    model: Any = root
    for part in path:
        found = model.model_fields.get(part)
        model = found.annotation if found else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return None
    return model  # type: ignore[no-any-return]


def _fault(mount: Mount) -> str | None:
    """Why a mount cannot be in the model whatever else is installed."""
    if not _PATH.fullmatch(mount.path):
        return f"{mount.path!r} is not a dotted key of small letters, digits and underscores"
    parts = mount.path.split(".")
    for depth in range(1, len(parts) + 1):
        parent = block_at(Frontmatter, parts[: depth - 1])
        if parent is not None and parts[depth - 1] in parent.model_fields and not block_at(Frontmatter, parts[:depth]):
            return f"`{'.'.join(parts[:depth])}` is a key of core and not a block"
    mine = block_at(Frontmatter, parts)
    taken = [name for name in mount.model.model_fields if mine and name in mine.model_fields]
    return f"`{mount.path}.{taken[0]}` belongs to core" if taken else None


def _claimed_twice(mounts: list[Mount]) -> dict[str, tuple[str, ...]]:
    """The outermost keys that more than one plugin claims, with the plugins' names."""
    claims: dict[str, list[str]] = {}
    for mount in mounts:
        for key in [*([mount.path] if mount.is_new else []), *mount.fields]:
            if mount.plugin not in claims.setdefault(key, []):
                claims[key].append(mount.plugin)
    twice = {key: tuple(sorted(names)) for key, names in claims.items() if len(names) > 1}
    return {key: names for key, names in twice.items() if not _inside(key, twice)}


def _has_parent(mount: Mount, kept: list[Mount]) -> bool:
    """Whether the block that a mount lies in is core's or that of a mount already kept."""
    parent = mount.path.rpartition(".")[0]
    inside = any(other.path == parent for other in kept)
    return inside or block_at(Frontmatter, filter(None, parent.split("."))) is not None


def _inside(path: str, blocks: Iterable[str]) -> bool:
    return any(path.startswith(f"{block}.") for block in blocks)


def _mounted(
    root: type[BaseModel], mounts: list[tuple[list[str], type[BaseModel]]], twice: frozenset[str], at: str = ""
) -> type[BaseModel]:
    """`root`, which lies at the dotted key `at`, with models added below it, each at its path."""
    fields: dict[str, Any] = _unclaimed(root, twice, at)
    for head in dict.fromkeys(path[0] for path, _ in mounts):
        here = [model for path, model in mounts if path == [head]]
        below = [(path[1:], model) for path, model in mounts if path[0] == head and len(path) > 1]
        present = block_at(root, [head])
        bases = ([present] if present else []) + here
        block = bases[0] if len(bases) == 1 else _joined(bases)
        block = _mounted(block, below, twice, f"{at}.{head}" if at else head)
        about = root.model_fields[head].description if present else None
        fields[head] = (block, Field(default_factory=block, description=about))
    if not fields:
        return root
    return create_model(root.__name__, __base__=root, __module__=root.__module__, **fields)


def _unclaimed(root: type[BaseModel], twice: frozenset[str], at: str) -> dict[str, Any]:
    """The fields of a block that nobody may write: their models still find the default there."""
    lost = [name for name in root.model_fields if f"{at}.{name}" in twice]
    defaults = {name: root.model_fields[name].get_default(call_default_factory=True) for name in lost}
    hidden: Any = Annotated[Any, SkipJsonSchema()]  # type: ignore[type-arg]
    return {name: (hidden, Field(default, exclude=True)) for name, default in defaults.items()}


def _joined(bases: list[type[BaseModel]]) -> type[BaseModel]:
    first = bases[0]
    return create_model(first.__name__, __base__=tuple(bases), __module__=first.__module__)
