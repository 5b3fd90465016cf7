"""`dlm plugins`: what is installed, what it provides, and why something is not."""

from __future__ import annotations

import traceback
from typing import Any

import click

from ..api import UsageError
from ..plugins import Plugin, Plugins
from . import values
from .common import json_option
from .terminal import console, print_json


@click.command()
@click.option("--why", metavar="NAME", shell_complete=values.plugin_names, help="Why a plugin is not at work.")
@json_option
@click.pass_obj
def plugins(found: Plugins, why: str | None, as_json: bool) -> None:
    """List plugins with what each provides and its state."""
    provided = provisions(found)
    if why:
        return _why(found, why, provided)
    if as_json:
        rows = [
            {
                "name": plugin.name,
                "distribution": plugin.dist,
                "version": plugin.version,
                "state": plugin.state,
                "why": plugin.why,
                "hooks": list(plugin.hooks),
                "provides": provided.get(plugin.name, {}),
            }
            for plugin in found.all
        ]
        return print_json("plugins", {"plugins": rows, "clashes": _clashes(found)})
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("plugin", "package", "state", "provides"):
        table.add_column(name)
    styles = {"failed": "red", "disabled": "yellow", "builtin": "green", "active": "green"}
    for plugin in found.all:
        text = "; ".join(f"{kind}: {_some(names)}" for kind, names in provided.get(plugin.name, {}).items())
        table.add_row(
            plugin.name,
            f"{plugin.dist} {plugin.version}",
            f"[{styles[plugin.state]}]{plugin.state}[/]",
            plugin.why or text,
        )
    out = console()
    out.print(table)
    for clash in _clashes(found):
        out.print(f"{clash['kind']} {clash['name']} is claimed by {' and '.join(clash['by'])}", style="yellow")
    return None


def provisions(found: Plugins) -> dict[str, dict[str, list[str]]]:
    """Plugin name -> kind -> names it provides."""
    out: dict[str, dict[str, list[str]]] = {}
    for registry in found.registries():
        for name in registry:
            out.setdefault(registry.owner(name).name, {}).setdefault(registry.kind, []).append(name)
    return out


def _clashes(found: Plugins) -> list[dict[str, Any]]:
    return [
        {"kind": registry.kind, "name": name, "by": [plugin.label for plugin in claimants]}
        for registry in found.registries()
        for name, claimants in registry.clashes.items()
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 14 else f"{', '.join(names[:4])} and {len(names) - 4} more"


def _why(found: Plugins, name: str, provided: dict[str, dict[str, list[str]]]) -> None:
    mine: list[Plugin] = [plugin for plugin in found.all if plugin.name == name]
    if not mine:
        raise UsageError(f"no plugin {name!r}", f"installed: {', '.join(plugin.name for plugin in found.all)}")
    for plugin in mine:
        print(f"{plugin.label}: {plugin.state}")
        for kind, names in provided.get(plugin.name, {}).items():
            print(f"  {kind}: {', '.join(names)}")
        if plugin.error:
            print("".join(traceback.format_exception(plugin.error)).rstrip())
