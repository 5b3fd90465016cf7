"""`dlm fmt`: documents in their canonical form, with the same values and the same section ids."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..api import DlmError, UsageError
from ..plugins import Plugins
from . import values
from .common import json_option
from .editing import about, change_json, error_json, plugin_markers, print_diff, read_bytes
from .terminal import print_json

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
@json_option
@click.pass_obj
def fmt(
    plugins: Plugins,
    documents: tuple[Path, ...],
    only_check: bool,
    show_diff: bool,
    strip_markers: bool,
    as_json: bool,
) -> int:
    """Write each DOCUMENT in its canonical form; `-` is stdin, written to stdout.

    No value, no content and no section id changes: a document that is formatted is not trained again.
    """
    if STDIN in documents and len(documents) > 1:
        raise UsageError("`-` stands alone", "format stdin and files one after the other")
    if STDIN in documents and as_json:
        raise UsageError("what `-` prints is the document itself", "name a file, or leave out --json")
    code, changes = 0, []
    for path in documents:
        try:
            before, after = _formatted(plugins, path, strip_markers)
            if as_json:
                changes.append(_write(path, before, after, only_check or show_diff))
                code = max(code, int(only_check and after != before))
            else:
                code = max(code, _tell(path, before, after, only_check, show_diff))
        except DlmError as error:
            if len(documents) == 1:
                raise
            from .errors import print_error

            print_error(error)
            changes.append(error_json(path, error))
            code = max(code, error.exit_code)
    if as_json:
        print_json("fmt", {"documents": changes})
    return code


def _formatted(plugins: Plugins, path: Path, strip: bool) -> tuple[bytes, bytes]:
    """The bytes of a document as they are, and in canonical form."""
    from ..editing import strip_markers, tidy

    before = _stdin() if path == STDIN else read_bytes(path)
    markers = plugin_markers(plugins)
    with about(path):
        stripped = strip_markers(before, markers=markers) if strip else before
        return before, tidy(stripped, markers)


def _write(path: Path, before: bytes, after: bytes, only_look: bool) -> dict[str, Any]:
    """Change the file unless it is only looked at; the change as JSON values."""
    from ..editing import write_document

    if after != before and not only_look:
        write_document(path, after, before)
    return change_json(path, before, after, not only_look)


def _tell(path: Path, before: bytes, after: bytes, only_check: bool, show_diff: bool) -> int:
    """Change the file or say what would change."""
    from ..editing import write_document

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
