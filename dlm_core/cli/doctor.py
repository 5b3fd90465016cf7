"""`dlm doctor`: this machine and this installation, without importing what trains."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..plugins import Plugins
from .common import json_option
from .terminal import bytes_text, console, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..planning.fitting import Fit


@click.command()
@json_option
@click.pass_obj
def doctor(plugins: Plugins, as_json: bool) -> None:
    """Look over hardware, packages, plugins and disk, and say what can be trained here."""
    from dataclasses import asdict

    from ..files import default_home
    from ..manifest import library_versions
    from ..planning.fitting import what_fits
    from ..planning.hardware import read_hardware

    hardware = read_hardware()
    plugins.registries()
    home = default_home()
    fits = what_fits(hardware)
    largest = _largest(plugins, fits)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "hardware": asdict(hardware),
        "versions": library_versions(plugins),
        "home": str(home),
        "disk_free": shutil.disk_usage(_existing(home)).free,
        "problems": _problems(plugins),
        "largest_base": largest,
        "fits": [asdict(one) for one in fits],
    }
    if as_json:
        print_json("doctor", found)
    else:
        _print(found, plugins)
    if found["problems"]:
        sys.exit(5)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _problems(plugins: Plugins) -> list[str]:
    problems = [f"plugin {plugin.label} failed: {plugin.why}" for plugin in plugins.all if plugin.state == "failed"]
    for registry in (plugins.trainers, plugins.engines, plugins.base_models):
        if not registry:
            hint = plugins.missing(registry.kind)
            problems.append(f"no {registry.kind}{': ' + hint.text if hint else ''}")
    return problems


def _largest(plugins: Plugins, fits: list[Fit]) -> str | None:
    """The largest base, by its registered size, that is no larger than one which LoRA fits on."""
    from ..planning.fitting import SHAPES

    most = max((SHAPES[one.size].parameters for one in fits if one.adapter == "lora" and one.longest), default=0)
    fitting = [base for base in plugins.base_models.values() if 0 < base.parameters <= most * 1.1]
    return max(fitting, key=lambda base: base.parameters).key if fitting else None


def _print_fits(fits: list[dict[str, Any]], out: Console) -> None:
    """A table of the longest rows that fit, in tokens, by size of base and kind of adapter."""
    kinds = list(dict.fromkeys(one["adapter"] for one in fits))
    out.print(f"[bold]fits[/]      longest row in tokens, one at a time{'':6}{''.join(f'{kind:>8}' for kind in kinds)}")
    for size in dict.fromkeys(one["size"] for one in fits):
        row = [one for one in fits if one["size"] == size]
        cells = "".join(f"{one['longest']:>8,}" if one["longest"] else f"{'–':>8}" for one in row)
        knobs = {one["knob"]: None for one in row if one["knob"]}
        need = f"a base of {size:>4} in {row[0]['dtype']}"
        helps = f"   {', '.join(knobs)} helps" if knobs else ""
        out.print(f"          {need:42}{cells}{helps}", soft_wrap=True)
    out.print("          at rank 8; `dlm plan` says exactly, of a document and its base")


def _print(found: dict[str, Any], plugins: Plugins) -> None:
    hardware, out = found["hardware"], console()
    memory = f"{bytes_text(hardware['memory'])} memory, {bytes_text(hardware['free_memory'])} free"
    out.print(f"[bold]python[/]    {found['python']} on {platform.system()} {platform.machine()}")
    out.print(f"[bold]machine[/]   {hardware['backend']}: {hardware['cores']} × {hardware['name']}, {memory}")
    out.print(f"[bold]disk[/]      {bytes_text(found['disk_free'])} free for {found['home']}", soft_wrap=True)
    out.print(f"[bold]packages[/]  {', '.join(f'{name} {version}' for name, version in found['versions'].items())}")
    active = [plugin.name for plugin in plugins.all if plugin.state in ("active", "builtin")]
    out.print(f"[bold]plugins[/]   {', '.join(active)}")
    _print_fits(found["fits"], out)
    if found["largest_base"]:
        out.print(f"[bold]largest[/]   {found['largest_base']} of the known bases, with LoRA")
    for problem in found["problems"]:
        out.print(f"[red]problem[/]   {problem}", soft_wrap=True)
    if not found["problems"]:
        out.print("[green]ok[/]")
