"""`dlm fmt`: documents in their canonical form, with the same values and the same section ids."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..api import DlmError, UsageError
from ..plugins import Plugins
from . import values
from .editing import about, plugin_markers, print_diff, read_bytes

STDIN = Path("-")


@click.command()
@click.argument(
    "documents",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="DOCUMENT...",
    shell_complete=values.documents,
)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit code 1 when something would change.")
@click.option("--diff", "show_diff", is_flag=True, help="Change nothing; print what would change.")
@click.option("--strip-markers", is_flag=True, help="Remove the provenance markers of all sections too.")
@click.pass_obj
def fmt(plugins: Plugins, documents: tuple[Path, ...], only_check: bool, show_diff: bool, strip_markers: bool) -> int:
    """Write each DOCUMENT in its canonical form; `-` is stdin, written to stdout.

    No value, no content and no section id changes: a document that is formatted is not trained again.
    """
    if STDIN in documents and len(documents) > 1:
        raise UsageError("`-` stands alone", "format stdin and files one after the other")
    code = 0
    for path in documents:
        try:
            code = max(code, _format(plugins, path, only_check, show_diff, strip_markers))
        except DlmError as error:
            if len(documents) == 1:
                raise
            from .errors import print_error

            print_error(error)
            code = max(code, error.exit_code)
    return code


def _format(plugins: Plugins, path: Path, only_check: bool, show_diff: bool, strip: bool) -> int:
    from ..editing import strip_markers, tidy, write_document

    before = _stdin() if path == STDIN else read_bytes(path)
    markers = plugin_markers(plugins)
    with about(path):
        stripped = strip_markers(before, markers=markers) if strip else before
        after = tidy(stripped, markers)
    if show_diff and after != before:
        print_diff(before, after, path)
    if only_check and after != before:
        print(f"{path}: would change", file=sys.stderr if path == STDIN else sys.stdout)
    if only_check or show_diff:
        return int(only_check and after != before)
    if path == STDIN:
        sys.stdout.write(after.decode())
    elif after != before:
        write_document(path, after, before)
        print(f"{path}: formatted")
    else:
        print(f"{path}: already in form")
    return 0


def _stdin() -> bytes:
    binary = getattr(sys.stdin, "buffer", None)
    data: bytes = binary.read() if binary is not None else sys.stdin.read().encode()
    return data
