"""`dlm cache`: what is kept of tokenized rows, why a row is not, and making room."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..plugins import Plugins
from .common import document_argument, json_option
from .terminal import bytes_text, console, print_json

if TYPE_CHECKING:
    from rich.table import Table


@click.group()
def cache() -> None:
    """Look at the tokenized rows that are kept between runs, and remove some."""


@cache.command()
@json_option
def show(as_json: bool) -> None:
    """How much is kept: rows, bytes, how often rows were read, by tokenizer; files by their kind."""
    from ..cache import cache_path
    from ..cache.overview import TOKENIZER, Share, overview
    from ..media.reader import MEDIA

    path = cache_path()
    found = overview(path, _warn)

    def about(share: Share) -> dict[str, Any]:
        times = {"oldest": _time(share.oldest), "newest": _time(share.newest)}
        return {"rows": share.rows, "size": share.size, "hits": share.hits, **times}

    tokenizers = [{"tokenizer": share.context[TOKENIZER], **about(share)} for share in found.by(TOKENIZER)]
    media = [{"kind": share.context[MEDIA], **about(share)} for share in found.by(MEDIA)]
    if as_json:
        contexts = [{"context": dict(share.context), **about(share)} for share in found.shares]
        totals = {"size": found.size, "rows": found.rows, "hits": found.hits, "oldest": _time(found.oldest)}
        parts = {"tokenizers": tokenizers, "media": media, "contexts": contexts}
        return print_json("cache", {"path": str(path), **totals, **parts})
    out = console()
    out.print(f"{path}: {found.rows:,} rows, {bytes_text(found.size)}", soft_wrap=True, markup=False)
    if found.rows:
        names = [*(one["tokenizer"] for one in tokenizers), *(f"{one['kind']} files" for one in media)]
        out.print(_table(names, [*tokenizers, *media]))
    return None


@cache.command()
@document_argument
@json_option
@click.pass_obj
def explain(plugins: Plugins, document: Path, as_json: bool) -> None:
    """Say which rows of DOCUMENT are kept, and of the others what changed since they were tokenized."""
    from ..cache import cache_path
    from ..cache.explain import explain as explained

    fates, enabled = explained(document, plugins)
    if as_json:
        groups = [
            {"sort": one.sort, "kept": one.kept, "why": one.why or None, "rows": one.rows, "lines": list(one.lines)}
            for one in fates
        ]
        return print_json("cache-explain", {"path": str(cache_path()), "enabled": enabled, "groups": groups})
    out = console()
    if not enabled:
        out.print("training.cache.enabled is false: a run neither reads nor writes the cache", markup=False)
    if not fates:
        out.print("the base's engine keeps nothing of these rows", markup=False)
    for one in sorted(fates, key=lambda one: (not one.kept, -one.rows)):
        where = "" if one.kept or not one.lines else f" (line {', '.join(map(str, one.lines[:5]))}{_more(one.lines)})"
        count = f"{one.rows:,} {one.sort} row{'' if one.rows == 1 else 's'}"
        out.print(f"{count:>18}  {'kept' if one.kept else one.why}{where}", soft_wrap=True, markup=False)
    return None


@cache.command()
@click.option(
    "--older-than", "days", type=click.IntRange(0), metavar="DAYS", help="Remove what was not used for so many days."
)
@click.option(
    "--max-bytes", type=click.IntRange(1), metavar="BYTES", help="Then the longest unused, down to this size."
)
@json_option
def prune(days: int | None, max_bytes: int | None, as_json: bool) -> None:
    """Remove what was not used for long, and the longest unused beyond a size.

    Without options by the defaults of `training.cache`: 90 days and 10 GiB.
    """
    from ..cache.prune import prune as remove
    from ..cache.settings import CacheSettings

    usual = CacheSettings()
    if days is None and max_bytes is None:
        days, max_bytes = usual.prune_older_than_days, usual.max_bytes
    _removed(remove(days, max_bytes, _warn), as_json)


@cache.command()
@json_option
def clear(as_json: bool) -> None:
    """Remove everything; the next run tokenizes its rows anew."""
    from ..cache.prune import clear as remove

    _removed(remove(_warn), as_json)


def _table(names: list[str], shares: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("tokenizer", "rows", "size", "read", "last used from", "to"):
        table.add_column(name, justify="left" if name == "tokenizer" else "right")
    for name, one in zip(names, shares, strict=True):
        oldest, newest = one["oldest"][:10], one["newest"][:10]
        table.add_row(name, f"{one['rows']:,}", bytes_text(one["size"]), f"{one['hits']:,} times", oldest, newest)
    return table


def _more(lines: tuple[int, ...]) -> str:
    return ", …" if len(lines) > 5 else ""


def _removed(found: tuple[int, int], as_json: bool) -> None:
    rows, size = found
    if as_json:
        return print_json("cache-removed", {"rows": rows, "size": size})
    console().print(f"removed {rows:,} rows; {bytes_text(size)} are left", markup=False)
    return None


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)
