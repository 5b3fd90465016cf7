"""Find plugins without importing them, or the quarter of the start-up time that `importlib.metadata` would cost."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

GROUP = "dlm"

_DIST_INFO = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*)(?:-.*)?\.(?:dist|egg)-info")


class Found(NamedTuple):
    """An entry point with the distribution it came from; `value` is `package.module` or `package.module:name`."""

    name: str
    dist: str
    version: str
    value: str

    def load(self) -> Any:
        """Import what the entry point names."""
        module, _, attributes = self.value.partition(":")
        loaded: Any = import_module(module)
        for attribute in filter(None, attributes.split(".")):
            loaded = getattr(loaded, attribute)
        return loaded


def find_plugins(group: str = GROUP) -> list[Found]:
    """Every entry point of the group on `sys.path`, sorted: file-system order must not decide anything.

    Reads `entry_points.txt` of installed distributions (PyPA entry-points specification).  As with
    `importlib.metadata`, the first of two distributions of one name wins.
    """
    found: list[Found] = []
    seen: set[str] = set()
    for folder in sys.path:
        for dist, version, path in _distributions(folder or "."):
            if dist not in seen:
                seen.add(dist)
                found += [Found(name, dist, version, value) for name, value in _entries(path, group)]
    return sorted(found, key=lambda item: (item.name, item.dist, item.version))


def _distributions(folder: str) -> Iterator[tuple[str, str, str]]:
    try:
        names = os.listdir(folder)  # noqa: PTH208  (half the time of pathlib, at every start)
    except OSError:
        return
    for name in names:
        if name.endswith("-info") and (match := _DIST_INFO.fullmatch(name)):
            dist = re.sub(r"[-_.]+", "-", match["name"]).lower()
            yield dist, match["version"], f"{folder}/{name}/entry_points.txt"


def _entries(path: str, group: str) -> Iterator[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    current = ""
    for line in lines:
        line = line.split("#")[0].strip()
        if line.startswith("["):
            current = line.strip("[] ")
        elif current == group and "=" in line:
            name, _, value = line.partition("=")
            yield name.strip(), value.partition("[")[0].strip()


class Selection(NamedTuple):
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
