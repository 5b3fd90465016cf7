"""Find plugins without importing them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

GROUP = "dlm"


@dataclass(frozen=True, slots=True)
class Found:
    """An entry point with the distribution it came from."""

    name: str
    dist: str
    version: str
    point: EntryPoint


def find_plugins(group: str = GROUP) -> list[Found]:
    """Every entry point of the group, sorted: file-system order must not decide anything."""
    found = []
    for point in entry_points(group=group):
        dist, version = (point.dist.name, point.dist.version) if point.dist else ("?", "?")
        found.append(Found(point.name, dist, version, point))
    return sorted(found, key=lambda item: (item.name, item.dist, item.version))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which plugins may load: an allow-list (None allows all) and a block-list."""

    only: frozenset[str] | None
    blocked: frozenset[str]

    def allows(self, name: str) -> bool:
        return name not in self.blocked and (self.only is None or name in self.only)


def selection(disabled: Iterable[str] = ()) -> Selection:
    """The user's choice: `-P no:NAME`, `DLM_DISABLE_PLUGINS` and the allow-list `DLM_PLUGINS`."""
    only = os.environ.get("DLM_PLUGINS")
    blocked = {*disabled, *_names(os.environ.get("DLM_DISABLE_PLUGINS", ""))}
    return Selection(None if only is None else frozenset(_names(only)), frozenset(blocked))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
