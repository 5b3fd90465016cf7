"""`dlm trust`: let a document read outside its own folder."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..api.errors import UntrustedError
from ..plugins import Plugins
from .common import document_argument


@click.command()
@document_argument
@click.pass_obj
def trust(plugins: Plugins, document: Path) -> None:
    """Let DOCUMENT read the sources it names outside its own folder, until it names others.

    A document that came from elsewhere reads nothing outside its folder until you say so.  This is remembered on this
    machine, not in the document.
    """
    from ..document import read_document
    from ..sources import trust as trusted

    doc = read_document(document, plugins)
    trusted.trust(doc)
    sources = [source["path"] for source in doc.config["training"]["sources"] or ()]
    print(
        f"{document} may read: {', '.join(sources) if sources else 'nothing outside its folder; it names no sources'}"
    )


def ask(error: UntrustedError) -> bool:
    """Ask once at a terminal and remember a yes; without a terminal the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{error.message}", file=sys.stderr)
    if not click.confirm("May it, from now on?", err=True):
        return False
    from ..sources import trust as trusted

    trusted.trust(error.doc)
    return True
