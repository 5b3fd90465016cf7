"""A command: the longest row of a document."""

from pathlib import Path

import click

from dlm_core.api import UsageError
from dlm_core.document import build_rows, read_document


@click.command()
@click.argument("document", type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def longest(plugins, document):
    """Print the longest row of DOCUMENT."""
    found = read_document(document, plugins)
    rows = build_rows(found, found.sections, plugins)
    if not rows:
        raise UsageError("there is no row", "write some prose")
    row = max(rows, key=lambda row: len(str(row.to_json()["data"])))
    click.echo(f"line {row.span.line}: {row.section_type}")
