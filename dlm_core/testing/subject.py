"""The plugin under examination: its module, its registration beside core, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from ..plugins import Plugin, Plugins, Registry

if TYPE_CHECKING:
    from ..api import Document

T = TypeVar("T")

PLAIN = """Varn lies on a rock.

::instruction::
### Q
Where does Varn lie?
### A
On a rock.
"""


@dataclass(frozen=True)
class Subject:
    """A plugin with core alone around it; see `conformance` for the last two fields."""

    name: str
    module: ModuleType
    plugins: Plugins
    plugin: Plugin
    examples: Mapping[str, str | Sequence[str]]
    trains_plain_documents: bool

    def own(self, registry: Registry[T]) -> Iterator[tuple[str, T]]:
        """The names and values of a registry that come from this plugin."""
        for name in registry:
            if registry.owner(name) is self.plugin:
                yield name, registry[name]

    def document(self, body: str, front: str = "base_model: null-base\n") -> Document:
        """Parse a document in the current folder; nothing is written.  Raises DocumentError."""
        from ..document import parse_document

        text = f"---\ndlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC\ndlm_version: 15\n{front}---\n{body}\n"
        return parse_document(text.encode(), Path.cwd() / "conformance.dlm", self.plugins)


def load_subject(
    module: str, examples: Mapping[str, str | Sequence[str]], trains_plain_documents: bool = False
) -> Subject:
    """Import a plugin's module and register it.  Raises what its import raises."""
    loaded, plugins, plugin = _loaded(module)
    return Subject(module, loaded, plugins, plugin, examples, trains_plain_documents)


@cache
def _loaded(name: str) -> tuple[ModuleType, Plugins, Plugin]:
    module = import_module(name)
    plugins = Plugins.load(group="dlm-told-by-hand")
    with suppress(Exception):  # what is wrong with it is kept in its record
        plugins.register(module, name)
    plugins.registries()
    (plugin,) = [plugin for plugin in plugins.all if plugin.name == name]
    return module, plugins, plugin
