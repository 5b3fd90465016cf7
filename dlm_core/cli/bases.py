"""`dlm bases`: the base models a document can name."""

from __future__ import annotations

from dataclasses import asdict

import click

from ..api import BaseMissingError, UsageError
from ..plugins import Plugins
from .common import json_option, licence_question
from .terminal import bytes_text, console, print_json


@click.command()
@click.argument("word", required=False)
@click.option("--fetch", metavar="KEY", help="Fetch a base model now, so that runs need no network.")
@click.option("--accept-licence", is_flag=True, help="Accept the base model's licence.")
@json_option
@click.pass_obj
def bases(plugins: Plugins, word: str | None, fetch: str | None, accept_licence: bool, as_json: bool) -> None:
    """List base models, or those with WORD in their key, family or licence."""
    if fetch:
        return _fetch(plugins, fetch, accept_licence)
    found = [
        base
        for base in plugins.base_models.values()
        if not word or word.lower() in f"{base.key} {base.family} {base.license}".lower()
    ]
    found.sort(key=lambda base: (base.parameters, base.key))
    if as_json:
        return print_json("bases", {"bases": [asdict(base) for base in found]})
    if not found:
        raise UsageError(f"no base model matches {word!r}", "`dlm bases` lists all")
    from rich.table import Table

    here = {base.key: _is_here(plugins, base.key) for base in found}
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("key", "parameters", "context", "download", "licence", "here", "about"):
        table.add_column(
            name, justify="right" if name in ("parameters", "context", "download") else "left", no_wrap=name == "key"
        )
    for base in found:
        licence = base.license.split(" (")[0] + (" (asks)" if base.gated else "")
        parameters = f"{base.parameters / 1e9:.2f}B" if base.parameters >= 1e8 else f"{base.parameters / 1e6:.1f}M"
        size = bytes_text(base.size) if base.size else ""
        table.add_row(
            base.key, parameters, f"{base.context:,}", size, licence, "yes" if here[base.key] else "", base.summary
        )
    console().print(table)
    console().print("also: hf:org/name[@revision] from the hub, or a folder: ./model", style="dim", markup=False)
    return None


def _is_here(plugins: Plugins, key: str) -> bool:
    from pathlib import Path

    base = plugins.base_models[key]
    if not base.location.startswith("hub:"):
        return Path(base.location).is_dir()
    from ..planning.bases import find_engine

    return find_engine(base, plugins).is_here(base)


def _fetch(plugins: Plugins, key: str, accepted: bool) -> None:
    from pathlib import Path

    from ..planning.bases import base_from_name, find_engine
    from ..store.licences import accept, is_accepted

    base = base_from_name(key, plugins, Path.cwd())
    if base.gated and not is_accepted(base.key, base.license):
        if not licence_question(accepted)(base):
            raise BaseMissingError(f"the licence of {base.key} was not accepted", "add `--accept-licence`")
        accept(base.key, base.license)
    located = find_engine(base, plugins).locate(base, fetch=True)
    print(located.folder)
