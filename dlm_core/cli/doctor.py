"""`dlm doctor`: this machine and this installation, without importing what trains."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from ..plugins import Plugins
from .common import json_option
from .terminal import bytes_text, console, print_json


@click.command()
@json_option
@click.pass_obj
def doctor(plugins: Plugins, as_json: bool) -> None:
    """Look over hardware, packages, plugins and disk, and say what can be trained here."""
    from dataclasses import asdict

    from ..files import default_home
    from ..manifest import library_versions
    from ..planning.hardware import read_hardware

    hardware = read_hardware()
    plugins.registries()
    home = default_home()
    largest = _largest(plugins, hardware.free_memory)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "hardware": asdict(hardware),
        "versions": library_versions(plugins),
        "home": str(home),
        "disk_free": shutil.disk_usage(_existing(home)).free,
        "problems": _problems(plugins),
        "largest_base": largest,
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


def _largest(plugins: Plugins, free: int) -> str | None:
    """The largest base whose bf16 weights, with half as much again for training, fit in the free memory."""
    fitting = [base for base in plugins.base_models.values() if 0 < base.parameters * 2 * 1.5 < free]
    return max(fitting, key=lambda base: base.parameters).key if fitting else None


def _print(found: dict[str, Any], plugins: Plugins) -> None:
    hardware, out = found["hardware"], console()
    memory = f"{bytes_text(hardware['memory'])} memory, {bytes_text(hardware['free_memory'])} free"
    out.print(f"[bold]python[/]    {found['python']} on {platform.system()} {platform.machine()}")
    out.print(f"[bold]machine[/]   {hardware['backend']}: {hardware['cores']} × {hardware['name']}, {memory}")
    out.print(f"[bold]disk[/]      {bytes_text(found['disk_free'])} free for {found['home']}", soft_wrap=True)
    out.print(f"[bold]packages[/]  {', '.join(f'{name} {version}' for name, version in found['versions'].items())}")
    active = [plugin.name for plugin in plugins.all if plugin.state in ("active", "builtin")]
    out.print(f"[bold]plugins[/]   {', '.join(active)}")
    if found["largest_base"]:
        out.print(f"[bold]fits[/]      LoRA on bases up to about {found['largest_base']} (`dlm plan` says exactly)")
    for problem in found["problems"]:
        out.print(f"[red]problem[/]   {problem}", soft_wrap=True)
    if not found["problems"]:
        out.print("[green]ok[/]")
