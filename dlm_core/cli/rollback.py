"""`dlm rollback`: make an earlier version the current one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..api import UsageError
from ..plugins import Plugins
from . import values
from .common import document_argument, json_option, say_waiting
from .terminal import print_json


@click.command()
@document_argument
@click.argument("number", type=int, required=False, metavar="[VERSION]", shell_complete=values.versions)
@json_option
@click.pass_obj
def rollback(plugins: Plugins, document: Path, number: int | None, as_json: bool) -> None:
    """Make VERSION the current one; without it, the version before the current one.  Nothing is deleted."""
    from ..document import read_document
    from ..pipeline import current_version
    from ..store import open_store

    store = open_store(read_document(document, plugins).id)
    current = current_version(store)
    if number is None:
        earlier = [version.number for version in store.versions() if version.number < current.number]
        if not earlier:
            name = shlex.quote(str(document))
            raise UsageError(f"there is no version before {current.number}", f"`dlm show {name}` lists them")
        number = max(earlier)
    with store.writing(say_waiting) as writer:
        version = writer.rollback(number)
    if as_json:
        return print_json("rollback", {"document": str(document), "version": version.number, "before": current.number})
    print(f"version {version.number} is current again (it was {current.number})")
    return None
