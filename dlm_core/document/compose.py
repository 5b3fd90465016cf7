"""Build the document's schema from core's models and the blocks that plugins mount into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, Field, create_model

from .schema import Frontmatter


@dataclass(frozen=True, slots=True)
class Mount:
    """A plugin's model, the dotted key it belongs at, and who to name when it cannot be mounted."""

    path: str
    model: type[BaseModel]
    owner: str


@dataclass(frozen=True, slots=True)
class Composed:
    """The composed model, and why each dotted key of the blocks left out is missing from it."""

    model: type[BaseModel]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def leaves_out(self, path: str) -> bool:
        """Whether the block of a plugin at this path found no place."""
        return any(key == path or key.rpartition(".")[0] == path for key in self.left_out)


@lru_cache(maxsize=32)
def compose(mounts: tuple[Mount, ...]) -> Composed:
    """Core's schema with every mount that overlaps nothing.  A key claimed twice belongs to no plugin."""
    left_out: dict[str, str] = {}
    for mount in mounts:
        if reason := _why_not(mount, mounts):
            left_out |= dict.fromkeys(_keys(mount), reason)
    good = [mount for mount in mounts if not left_out.keys() & set(_keys(mount))]
    paths = {mount.path for mount in good}
    for mount in [mount for mount in good if not _has_parent(mount, paths)]:
        left_out[mount.path] = f"{mount.owner} mounts `{mount.path}` into a block that is not there"
        good.remove(mount)
    return Composed(_mounted(Frontmatter, [(mount.path.split("."), mount.model) for mount in good]), left_out)


def block_at(root: type[BaseModel], path: Iterable[str]) -> type[BaseModel] | None:
    """The model of the block at a path, or None when there is no such block."""
    model: Any = root
    for part in path:
        found = model.model_fields.get(part)
        model = found.annotation if found else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return None
    return model  # type: ignore[no-any-return]


def _keys(mount: Mount) -> list[str]:
    """The dotted keys a mount claims: itself when new, its fields when mixed into one of core's blocks."""
    if block_at(Frontmatter, mount.path.split(".")) is None:
        return [mount.path]
    return [f"{mount.path}.{name}" for name in mount.model.model_fields]


def _why_not(mount: Mount, mounts: tuple[Mount, ...]) -> str | None:
    for key in _keys(mount):
        *parents, name = key.split(".")
        parent = block_at(Frontmatter, parents)
        if parent is not None and name in parent.model_fields:
            return f"`{key}` belongs to core and is also claimed by {mount.owner}; disable that plugin"
        for other in mounts:
            inside = other.path == ".".join(parents) and name in other.model.model_fields
            if other is not mount and (inside or key in _keys(other)):
                return f"`{key}` is claimed by {mount.owner} and by {other.owner}; disable one of the two"
    return None


def _has_parent(mount: Mount, paths: set[str]) -> bool:
    parent = mount.path.rpartition(".")[0]
    return parent in paths or block_at(Frontmatter, filter(None, parent.split("."))) is not None


def _mounted(root: type[BaseModel], mounts: list[tuple[list[str], type[BaseModel]]]) -> type[BaseModel]:
    """`root` with models added below it, each at its path."""
    if not mounts:
        return root
    fields: dict[str, Any] = {}
    for head in dict.fromkeys(path[0] for path, _ in mounts):
        here = [model for path, model in mounts if path == [head]]
        below = [(path[1:], model) for path, model in mounts if path[0] == head and len(path) > 1]
        present = block_at(root, [head])
        bases = ([present] if present else []) + here
        block = bases[0] if len(bases) == 1 else _joined(bases)
        block = _mounted(block, below)
        fields[head] = (block, Field(default_factory=block))
    return create_model(root.__name__, __base__=root, __module__=root.__module__, **fields)


def _joined(bases: list[type[BaseModel]]) -> type[BaseModel]:
    first = bases[0]
    return create_model(first.__name__, __base__=tuple(bases), __module__=first.__module__)
