"""`dlm bases`: the base models a document can name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from ..api import BaseMissingError, BaseModel, UsageError
from ..plugins import Plugins
from . import values
from .common import json_option, licence_question
from .terminal import bytes_text, console, print_json


@click.command()
@click.argument("word", required=False)
@click.option(
    "--fetch", metavar="KEY", help="Fetch a base model now, so that runs need no network.", shell_complete=values.bases
)
@click.option("--accept-licence", is_flag=True, help="Accept the base model's licence.")
@json_option
@click.pass_obj
def bases(plugins: Plugins, word: str | None, fetch: str | None, accept_licence: bool, as_json: bool) -> None:
    """List base models, or those with WORD in their key, family or licence."""
    if fetch:
        return _fetch(plugins, fetch, accept_licence, as_json)
    found = [
        base
        for base in plugins.base_models.values()
        if not word or word.lower() in f"{base.key} {base.family} {base.license}".lower()
    ]
    found.sort(key=lambda base: (base.parameters, base.key))
    if not found:
        raise UsageError(f"no base model matches {word!r}", "`dlm bases` lists all")
    if as_json:
        return print_json("bases", {"bases": [asdict(base) for base in found]})
    _print_table(plugins, found)
    console().print("also: hf:org/name[@revision] from the hub, or a folder: ./model", style="dim", markup=False)
    return None


def _print_table(plugins: Plugins, bases: Sequence[BaseModel]) -> None:
    """Every column as wide as it needs, but the last, which takes what is left."""
    head = ("key", "parameters", "context", "download", "licence", "here", "about")
    rows = [
        (
            base.key,
            f"{base.parameters / 1e9:.2f}B" if base.parameters >= 1e8 else f"{base.parameters / 1e6:.1f}M",
            f"{base.context:,}",
            bytes_text(base.size) if base.size else "",
            base.license.split(" (")[0] + (" (asks)" if base.gated else ""),
            "yes" if _is_here(plugins, base.key) else "",
            base.summary,
        )
        for base in bases
    ]
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head) - 1)]
    right = ("parameters", "context", "download")
    out = console()
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(head, row, widths, strict=False)
        ]
        line = "  ".join([*cells, row[-1]])
        out.print(line[: out.width].rstrip(), markup=False, style="bold" if row is head else None)


def _is_here(plugins: Plugins, key: str) -> bool:
    from pathlib import Path

    base = plugins.base_models[key]
    if not base.location.startswith("hub:"):
        return Path(base.location).is_dir()
    from ..planning.bases import find_engine

    return find_engine(base, plugins).is_here(base)


def _fetch(plugins: Plugins, key: str, accepted: bool, as_json: bool) -> None:
    from pathlib import Path

    from ..planning.bases import base_from_name, find_engine
    from ..store.licences import accept, is_accepted

    base = base_from_name(key, plugins, Path.cwd())
    if base.gated and not is_accepted(base.key, base.license):
        if not licence_question(accepted)(base):
            raise BaseMissingError(f"the licence of {base.key} was not accepted", "add `--accept-licence`")
        accept(base.key, base.license)
    located = find_engine(base, plugins).locate(base, fetch=True)
    if as_json:
        print_json("fetched", {"base": key, "folder": located.folder, "sha256": located.sha256})
    else:
        print(located.folder)
