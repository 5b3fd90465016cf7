"""For plugins: what a subcommand of `dlm` shares with those of core.

Arguments and options of click, reading a document and looking at it, reports as JSON.  A name is loaded with its module
when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import Checked, check
    from .cli.common import adapter_option, document_argument, json_option, version_option
    from .cli.editing import about, print_diff, read_bytes
    from .cli.terminal import print_json
    from .document import read_document
    from .plugins import Plugins
    from .spelling import closest
    from .store import open_store

_HOME = {
    "Checked": "checking",
    "Plugins": "plugins",
    "about": "cli.editing",
    "adapter_option": "cli.common",
    "check": "checking",
    "closest": "spelling",
    "document_argument": "cli.common",
    "json_option": "cli.common",
    "open_store": "store",
    "print_diff": "cli.editing",
    "print_json": "cli.terminal",
    "read_bytes": "cli.editing",
    "read_document": "document",
    "version_option": "cli.common",
}

__all__ = [
    "Checked",
    "Plugins",
    "about",
    "adapter_option",
    "check",
    "closest",
    "document_argument",
    "json_option",
    "open_store",
    "print_diff",
    "print_json",
    "read_bytes",
    "read_document",
    "version_option",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"dlm_core.{_HOME[name]}"), name)
    globals()[name] = value
    return value
