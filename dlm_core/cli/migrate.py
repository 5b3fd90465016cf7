"""`dlm migrate`: documents of older versions of the format, rewritten as the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..api import DlmError
from . import values
from .common import json_option
from .editing import about, change_json, error_json, print_diff, read_bytes
from .terminal import print_json


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
@json_option
def migrate(documents: tuple[Path, ...], dry_run: bool, no_backup: bool, as_json: bool) -> int:
    """Rewrite each DOCUMENT in the newest version of the format; comments, order and sections stay as they are."""
    code, changes = 0, []
    for path in documents:
        try:
            changes.append(_migrate(path, dry_run, no_backup, as_json))
        except DlmError as error:
            if len(documents) == 1:
                raise
            from .errors import print_error

            print_error(error)
            changes.append(error_json(path, error))
            code = max(code, error.exit_code)
    if as_json:
        print_json("migrate", {"documents": changes})
    return code


def _migrate(path: Path, dry_run: bool, no_backup: bool, as_json: bool) -> dict[str, Any]:
    """Rewrite one document, or show how, and say so unless it is told as JSON: the values returned."""
    from ..document.versions import VERSION
    from ..editing import write_document
    from ..editing.migrate import migrate, version_of
    from ..editing.write import write_backup

    before = read_bytes(path)
    with about(path):
        version = version_of(before)
        after = migrate(before)
    backup = None
    if after != before and not dry_run:
        backup = None if no_backup else write_backup(path, before)
        write_document(path, after, before)
    if as_json:
        about_it = {"from": version, "to": VERSION, "backup": str(backup) if backup else None}
        return {**change_json(path, before, after, not dry_run), **about_it}
    if after == before:
        print(f"{path}: already version {VERSION}")
    elif dry_run:
        print_diff(before, after, path)
    else:
        kept = f", the old file is {backup}" if backup else ""
        print(f"{path}: version {version} is now {VERSION}{kept}")
    return {}
