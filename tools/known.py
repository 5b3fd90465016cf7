"""Write the table of who provides what: `nox -s known`.  Loads every plugin in plugins/ beside core and asks it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import tomli

from dlm_core.cli.plugins import provisions
from dlm_core.plugins import Plugins

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "dlm_core" / "plugins" / "known.py"

_HEAD = '''"""Who provides what among the plugins of this project, so that an error can name the package to install.

Written by `nox -s known`; a test fails when it is stale.
"""

from __future__ import annotations

#: (kind, name) -> (distribution, plugin)
KNOWN: dict[tuple[str, str], tuple[str, str]] = {
'''


def load() -> Plugins:
    """Core and the plugins of this repository, whatever else is installed.  Raises what is wrong with one."""
    plugins = Plugins.load(group="none of those installed")
    for path in sorted((ROOT / "plugins").glob("*/pyproject.toml")):
        project = tomli.loads(path.read_text(encoding="utf-8"))["project"]
        for name, module in project["entry-points"]["dlm"].items():
            plugins.register(import_module(module), name, project["name"], project["version"])
    return plugins


def table() -> str:
    """The text of known.py."""
    plugins = load()
    found = [
        (kind, name, plugin)
        for plugin in plugins.all
        if plugin.state != "builtin"
        for kind, names in provisions(plugins).get(plugin.name, {}).items()
        for name in names
    ]
    for owned in plugins.collect("dlm_hookspecs", type):
        found += [("hook", name, owned.owner) for name in vars(owned.value) if name.startswith("dlm_")]
    lines = [f'    ("{kind}", "{name}"): ("{plugin.dist}", "{plugin.name}"),\n' for kind, name, plugin in found]
    return f"{_HEAD}{''.join(sorted(lines))}}}\n"


if __name__ == "__main__":
    text = table()
    if "--check" in sys.argv:
        sys.exit(f"{TABLE} is stale; write it anew with `nox -s known`" if TABLE.read_text() != text else 0)
    TABLE.write_text(text, encoding="utf-8")
