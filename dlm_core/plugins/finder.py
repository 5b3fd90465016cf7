"""Find plugins without importing them, or the quarter of the start-up time that `importlib.metadata` would cost."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

from ..spelling import closest

GROUP = "dlm"

# What pip leaves of a half-removed distribution starts with `~`.
_DIST_INFO = re.compile(r"(?P<name>[A-Za-z0-9].*?)-(?P<version>\d[^-]*)(?:-.*)?\.(?:dist|egg)-info")


class Found(NamedTuple):
    """An entry point with the distribution it came from; `value` is `package.module` or `package.module:name`."""

    name: str
    dist: str
    version: str
    value: str

    def load(self) -> Any:
        """Import what the entry point names.  Raises whatever that raises."""
        if not self.value:
            raise ImportError(f"the line `{self.name}` in its entry_points.txt names no module")
        module, _, attributes = self.value.partition(":")
        loaded: Any = import_module(module)
        for attribute in filter(None, attributes.split(".")):
            loaded = getattr(loaded, attribute)
        return loaded


def find_plugins(group: str = GROUP) -> list[Found]:
    """Every entry point of the group on `sys.path`, sorted: file-system order must not decide anything.

    Reads `entry_points.txt` of installed distributions (PyPA entry-points specification), however damaged.  As with
    `importlib.metadata`, the first folder of `sys.path` with a distribution wins.
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
    for name in sorted(name for name in names if name.endswith("-info")):
        if match := _DIST_INFO.fullmatch(name):
            dist = re.sub(r"[-_.]+", "-", match["name"]).lower()
            yield dist, match["version"], f"{folder}/{name}/entry_points.txt"


def _entries(path: str, group: str) -> Iterator[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    current = ""
    for line in lines:
        line = line.split("#")[0].strip()
        if line.startswith("["):
            current = line.strip("[] ")
        elif current == group and line:
            name, _, value = line.partition("=")
            yield name.strip() or "(no name)", value.partition("[")[0].strip()


class Selection(NamedTuple):
    """Which plugins may load: two block-lists and an allow-list (None allows all)."""

    option: frozenset[str]
    blocked: frozenset[str]
    only: frozenset[str] | None

    def refuses(self, name: str) -> str:
        """What keeps a plugin out, in words; empty when it may load."""
        if name in self.option:
            return f"`-P no:{name}`"
        if name in self.blocked:
            return "the environment variable DLM_DISABLE_PLUGINS"
        if self.only is not None and name not in self.only:
            return "the environment variable DLM_PLUGINS, which does not name it"
        return ""

    def unknown(self, installed: Iterable[str], builtin: Iterable[str]) -> Iterator[str]:
        """A sentence for each choice that has no effect."""
        known, fixed = sorted(installed), set(builtin)
        chosen = {"-P no:": self.option, "DLM_DISABLE_PLUGINS=": self.blocked, "DLM_PLUGINS=": self.only or ()}
        for where, names in chosen.items():
            for name in sorted(names):
                if name in fixed and where != "DLM_PLUGINS=":
                    yield f"{where}{name}: {name} is part of DLM and cannot be left out"
                elif name not in known:
                    close = closest(name, known)
                    maybe = f"; did you mean {close!r}?" if close else f"; there are {', '.join(known)}"
                    yield f"{where}{name}: there is no plugin {name!r}{maybe}"


def selection(disabled: Iterable[str] = ()) -> Selection:
    """The user's choice: `-P no:NAME`, `DLM_DISABLE_PLUGINS` and the allow-list `DLM_PLUGINS`."""
    only = os.environ.get("DLM_PLUGINS")
    blocked = frozenset(_names(os.environ.get("DLM_DISABLE_PLUGINS", "")))
    return Selection(frozenset(disabled), blocked, None if only is None else frozenset(_names(only)))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
