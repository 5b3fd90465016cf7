"""`dlm migrate`: documents of older versions of the format, rewritten as the newest."""

from __future__ import annotations

from pathlib import Path

import click

from ..api import DlmError
from . import values
from .editing import about, print_diff, read_bytes


@click.command()
@click.argument(
    "documents",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="DOCUMENT...",
    shell_complete=values.documents,
)
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would change.")
@click.option("--no-backup", is_flag=True, help="Do not keep the old file as DOCUMENT.bak.")
def migrate(documents: tuple[Path, ...], dry_run: bool, no_backup: bool) -> int:
    """Rewrite each DOCUMENT in the newest version of the format; comments, order and sections stay as they are."""
    code = 0
    for path in documents:
        try:
            _migrate(path, dry_run, no_backup)
        except DlmError as error:
            if len(documents) == 1:
                raise
            from .errors import print_error

            print_error(error)
            code = max(code, error.exit_code)
    return code


def _migrate(path: Path, dry_run: bool, no_backup: bool) -> None:
    from ..document.versions import VERSION
    from ..editing import write_document
    from ..editing.migrate import migrate, version_of
    from ..editing.write import write_backup

    before = read_bytes(path)
    with about(path):
        version = version_of(before)
        after = migrate(before)
    if after == before:
        print(f"{path}: already version {VERSION}")
        return
    if dry_run:
        print_diff(before, after, path)
        return
    kept = "" if no_backup else f", the old file is {write_backup(path, before)}"
    write_document(path, after, before)
    print(f"{path}: version {version} is now {VERSION}{kept}")
