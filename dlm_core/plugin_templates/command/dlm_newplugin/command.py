"""The command `dlm newplugin`; imported when it is chosen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from dlm_core.api import UsageError
from dlm_core.document import build_rows, read_document
from dlm_core.plugins import Plugins


@click.command()
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="DOCUMENT")
@click.option(
    "--by", type=click.Choice(["section", "kind"]), default="section", show_default=True, help="How to group."
)
@click.pass_obj
def newplugin(plugins: Plugins, document: Path, by: str) -> None:
    """Count the rows of DOCUMENT."""
    found = read_document(document, plugins)
    rows = build_rows(found, found.sections, plugins)
    if not rows:
        raise UsageError(f"{document} has no rows", "write some prose or an ::instruction:: section")
    counts = Counter(row.section_type if by == "section" else row.kind for row in rows)
    for name, count in sorted(counts.items()):
        click.echo(f"{count:6} {name}")
