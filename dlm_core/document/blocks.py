"""The blocks that plugins mount into the frontmatter: found, composed, and what a document may not use of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from ..api import ConfigBlock, Problem
from ..plugins import hints
from ..plugins.registry import Hint
from ..spelling import closest
from .compose import Composed, Mount, block_at, compose
from .tree import Loc, Tree, dotted

if TYPE_CHECKING:
    from ..plugins import Plugin, Plugins


@dataclass(frozen=True, slots=True)
class Blocks:
    """The composed schema, the blocks of plugins in it by name, and a hint for each key whose plugin failed."""

    plugins: Plugins
    composed: Composed
    at_work: Mapping[str, ConfigBlock]
    broken: Mapping[str, Hint]

    @property
    def model(self) -> type[BaseModel]:
        return self.composed.model

    def who(self, loc: Loc) -> Hint | None:
        """Who would provide a key that the schema lacks, and why that plugin does not."""
        key = dotted(loc)
        if hint := self.broken.get(key):
            return hint
        around = block_at(self.model, map(str, loc[:-1]))
        misspelt = around is not None and closest(str(loc[-1]), around.model_fields)
        if (hint := self.plugins.hint("config block", key)) or misspelt:
            return hint
        return self.broken.get(dotted(loc[:-1])) or self._homeless(key) or hints.perhaps(self.plugins)

    def _homeless(self, key: str) -> Hint | None:
        """The hint for a block that a plugin puts its own into, and that no plugin at work provides."""
        for mount in self.composed.homeless:
            if mount.path.startswith(f"{key}."):
                return Hint(f"{homeless(mount, self.plugins)}; `dlm plugins` lists what is at work", "DLM0301")
        return None

    def take_clashes(self, tree: Tree) -> Iterator[Problem]:
        """Take the keys that two plugins claim out of a document; a problem for each that stands there."""
        claims = {key: tuple(filter(None, map(self.plugins.find, names))) for key, names in self.composed.twice.items()}
        for key, claimants in {**self.plugins.config_blocks.clashes, **claims}.items():
            loc = tuple(key.split("."))
            if loc not in tree.places:
                continue
            node: Any = tree.data
            for part in loc[:-1]:
                node = node[part]
            del node[loc[-1]]
            hint = hints.claimed(self.plugins, claimants)
            message = f"`{key}` is claimed by two plugins and so belongs to neither"
            yield Problem(tree.places[loc].key, message, hint.text, code=hint.code)

    def own_views(self, frontmatter: BaseModel) -> dict[type, BaseModel]:
        """Model -> the block as its plugin declared it, where a key of it is claimed twice: with its own default."""
        views: dict[type, BaseModel] = {}
        for mount in self.composed.mounts if self.composed.twice else ():
            free = [key.rpartition(".")[2] for key in mount.fields if key not in self.composed.twice]
            if len(free) < len(mount.fields):
                node: Any = frontmatter
                for part in mount.path.split("."):
                    node = getattr(node, part)
                views[mount.model] = mount.model.model_construct(**{name: getattr(node, name) for name in free})
        return views


_known: WeakKeyDictionary[Plugins, tuple[object, Blocks]] = WeakKeyDictionary()


def find_blocks(plugins: Plugins) -> Blocks:
    """Every block's model, composed.  A plugin whose block has no model or no place has failed."""
    registry = plugins.config_blocks
    known = _known.get(plugins)
    if known is None or known[0] is not registry:
        known = _known[plugins] = (registry, _find(plugins))
    return known[1]


def _find(plugins: Plugins) -> Blocks:
    mounts: list[Mount] = []
    broken: dict[str, Hint] = {}
    for name, block in plugins.config_blocks.items():
        owner = plugins.config_blocks.owner(name)
        try:
            model = block.model()
            model()
            mounts.append(Mount(block.path, model, owner.name))
        except Exception as error:
            broken[block.path] = _fail(owner, error)
    composed = compose(tuple(mounts))
    for mount, reason in composed.faults:
        owner = next(plugin for plugin in plugins.all if plugin.name == mount.plugin)
        hint = _fail(owner, ValueError(reason))
        broken |= dict.fromkeys([mount.path] if mount.is_new else mount.fields, hint)
    placed = {(mount.path, mount.plugin) for mount in composed.mounts}
    at_work = {
        name: block
        for name, block in plugins.config_blocks.items()
        if (block.path, plugins.config_blocks.owner(name).name) in placed
    }
    return Blocks(plugins, composed, at_work, broken)


def provided_keys(plugins: Plugins) -> dict[str, list[str]]:
    """Plugin name -> the dotted keys it adds to the frontmatter: its blocks, and its keys in blocks of core."""
    composed = find_blocks(plugins).composed
    out: dict[str, list[str]] = {}
    for mount in composed.mounts:
        if keys := composed.keys(mount):
            out.setdefault(mount.plugin, []).extend(keys)
    return out


def homeless(mount: Mount, plugins: Plugins) -> str:
    """Why a block is not in the schema though its plugin is at work: the block it lies in is not there."""
    owner = next(plugin for plugin in plugins.all if plugin.name == mount.plugin)
    outer = mount.path.rpartition(".")[0]
    return f"`{mount.path}` of {owner.label} lies in `{outer}`, which no plugin at work here provides"


def _fail(owner: Plugin, error: Exception) -> Hint:
    owner.fail(error)
    return hints.failed(owner)
