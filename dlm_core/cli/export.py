"""`dlm export`: write a trained version in other formats."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..api import UsageError
from ..plugins import Plugins
from . import values
from .common import (
    adapter_option,
    allow_secret_option,
    json_option,
    mix_option,
    say_mix,
    say_waiting,
    version_option,
    watching,
)
from .routers import read_wanted
from .terminal import console, print_json


@click.command()
@click.argument(
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=False,
    metavar="DOCUMENT",
    shell_complete=values.documents,
)
@click.argument("formats", nargs=-1, metavar="[FORMAT]...", shell_complete=values.exporters)
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the exporter.",
    shell_complete=values.exporter_options,
)
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Write here, not in the store."
)
@click.option("--list", "list_formats", is_flag=True, help="List the formats and their options.")
@version_option
@adapter_option
@mix_option
@allow_secret_option
@json_option
@click.pass_obj
def export(
    plugins: Plugins,
    document: Path | None,
    formats: tuple[str, ...],
    options: tuple[str, ...],
    to: Path | None,
    list_formats: bool,
    number: int | None,
    adapter: str | None,
    mix: str | None,
    allow_secret: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write the current version of DOCUMENT in each FORMAT, checked against the original."""
    from .. import exporting, pipeline, preparing
    from ..store import open_store
    from .reporter import attach_reporter
    from .summary import export_lines

    if list_formats:
        return _list_formats(plugins, as_json)
    if document is None:
        raise UsageError("which document?", "dlm export DOCUMENT gguf; `dlm export --list` lists the formats")
    exporters = exporting.choose_exporters(formats, plugins)
    if not exporters:
        raise UsageError("no export format is installed for this", "name one: `dlm export DOCUMENT --list`")
    values = exporting.read_options(options, exporters)
    wanted = read_wanted(adapter, mix)
    with watching(plugins) as control, attach_reporter(plugins, as_json):
        asked = preparing.Options(fetch=False, ask_licence=False, allow_secret=allow_secret)
        ready = preparing.prepare(document, plugins, asked, control)
        store = open_store(ready.doc.id)
        version = pipeline.current_version(store, number)
        several = len(version.manifest["adapters"]) > 1
        for exporter in exporters:
            done = exporting.export_version(
                exporter, values[exporter.name], ready, store, version, plugins, control,
                to=to, wanted=wanted, on_wait=say_waiting, warn=True,
            )  # fmt: skip
            if not as_json:
                if done.mix:
                    say_mix(done.mix)
                    if done.standing:
                        print(f"{done.standing.router:<10} {done.standing.text}", file=sys.stderr)
                elif several:
                    print(f"adapter    {done.adapter}", file=sys.stderr)
                for path, about in export_lines(done):
                    print(f"{path}  {about}")
    return None


def _list_formats(plugins: Plugins, as_json: bool) -> None:
    if as_json:
        found = {
            name: {"help": item.help, "options": {key: option.help for key, option in item.options.items()}}
            for name, item in plugins.exporters.items()
        }
        return print_json("formats", {"formats": found})
    out = console()
    for name, exporter in plugins.exporters.items():
        out.print(f"[bold]{name:<12}[/] {exporter.help}")
        for key, option in exporter.options.items():
            choices = f" ({', '.join(option.choices)})" if option.choices else ""
            out.print(f"               -o {key}={option.default}  {option.help}{choices}", markup=False, soft_wrap=True)
    return None
