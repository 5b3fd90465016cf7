"""`dlm plugins`: what is installed, what it provides, and why something is not."""

from __future__ import annotations

import traceback
from typing import Any

import click

from ..api import UsageError
from ..plugins import Plugin, Plugins
from ..plugins.known import KNOWN
from ..spelling import closest
from . import values
from .common import json_option
from .terminal import console, print_json


@click.command()
@click.option("--why", metavar="NAME", shell_complete=values.plugin_names, help="Why a plugin is not at work.")
@json_option
@click.pass_obj
def plugins(found: Plugins, why: str | None, as_json: bool) -> None:
    """List plugins with what each provides and its state."""
    provided, listed = provisions(found), found.all
    if why:
        listed = [plugin for plugin in found.all if why in (plugin.name, plugin.dist)]
        if not listed:
            return _why_absent(_absent(found, why), as_json)
        if not as_json:
            return _why(found, listed, provided)
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
            for plugin in listed
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
    for _, sentence in _homeless(found):
        out.print(f"config block {sentence}", style="yellow")
    return None


def provisions(found: Plugins) -> dict[str, dict[str, list[str]]]:
    """Plugin name -> kind -> names it provides; of config blocks, the dotted keys that are new in a document."""
    from ..document.blocks import provided_keys

    out: dict[str, dict[str, list[str]]] = {}
    for name, keys in provided_keys(found).items():
        out.setdefault(name, {})["config block"] = sorted(keys)
    for registry in found.registries():
        for name in registry if registry.kind != "config block" else ():
            out.setdefault(registry.owner(name).name, {}).setdefault(registry.kind, []).append(name)
    return out


def _homeless(found: Plugins) -> list[tuple[str, str]]:
    """Name of a plugin at work, and why a block of it is in no document."""
    from ..document.blocks import find_blocks, homeless

    return [(mount.plugin, homeless(mount, found)) for mount in find_blocks(found).composed.homeless]


def _clashes(found: Plugins) -> list[dict[str, Any]]:
    from ..document.blocks import find_blocks

    claimed = [(reg.kind, name, claimants) for reg in found.registries() for name, claimants in reg.clashes.items()]
    for key, names in find_blocks(found).composed.twice.items():
        claimed.append(("config block", key, tuple(plugin for plugin in found.all if plugin.name in names)))
    return [
        {"kind": kind, "name": name, "by": [plugin.label for plugin in claimants]} for kind, name, claimants in claimed
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 14 else f"{', '.join(names[:4])} and {len(names) - 4} more"


def _why(found: Plugins, mine: list[Plugin], provided: dict[str, dict[str, list[str]]]) -> None:
    for plugin in mine:
        reason = "" if plugin.error else plugin.why.removeprefix("disabled")
        print(f"{plugin.label}: {plugin.state}{reason}")
        if plugin.import_seconds > 0.1:
            print(f"  importing it took {plugin.import_seconds:.1f} s of every command")
        is_twin = plugin.error is not None and plugin is not found.find(plugin.name)
        for kind, names in ({} if is_twin else provided.get(plugin.name, {})).items():
            print(f"  {kind}: {', '.join(names)}")
        if plugin.state == "active" and not plugin.hooks:
            print("  nothing: no function of its module is a hook, `dlm_…` with `@hookimpl` above it")
        for clash in _clashes(found):
            if plugin.label in clash["by"]:
                print(f"  {clash['kind']} {clash['name']}: claimed by {' and '.join(clash['by'])}, so nobody's")
        for name, sentence in _homeless(found):
            if name == plugin.name:
                print(f"  config block {sentence}")
        if plugin.error:
            print("".join(traceback.format_exception(plugin.error)).rstrip())


def _absent(found: Plugins, name: str) -> dict[str, Any]:
    """A plugin of this project that is not installed, as a report.  Raises UsageError for any other name."""
    known = sorted((kind, what, *by) for (kind, what), by in KNOWN.items() if name in by)
    if not known:
        names = [*(plugin.name for plugin in found.all), *(plugin for _, plugin in KNOWN.values())]
        close = closest(name, names)
        installed = ", ".join(dict.fromkeys(plugin.name for plugin in found.all))
        raise UsageError(f"no plugin {name!r}", f"did you mean {close!r}?" if close else f"installed: {installed}")
    provides: dict[str, list[str]] = {}
    for kind, what, _, _ in known:
        provides.setdefault(kind, []).append(what)
    _, _, dist, plugin = known[0]
    why = f"not installed; to install it: `pip install {dist}`"
    row = {"name": plugin, "distribution": dist, "version": None, "state": "absent", "why": why}
    return {**row, "hooks": [], "provides": provides}


def _why_absent(plugin: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json("plugins", {"plugins": [plugin], "clashes": []})
    print(f"{plugin['name']}: {plugin['why']}")
    for kind, names in plugin["provides"].items():
        print(f"  {kind}: {_some(names)}")
    return None
