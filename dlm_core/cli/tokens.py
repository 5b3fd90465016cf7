"""`dlm tokens`: what of a document trains, character by character or token by token."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..api import UsageError
from ..plugins import Plugins
from . import values
from .common import allow_secret_option, json_option
from .terminal import print_json

if TYPE_CHECKING:
    from ..coverage import Coverage, SeenRow


class DocumentPlace(click.Path):
    """A document, or `document:line` as errors write it; a file that has colons in its own name is that file."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        if not Path(value).is_file():
            for pattern in (r"(.+):(\d+)", r"(.+):(\d+):\d+"):
                if (found := re.fullmatch(pattern, value, re.DOTALL)) and Path(found[1]).is_file():
                    return super().convert(found[1], param, ctx), int(found[2])
        return super().convert(value, param, ctx), None


@click.command()
@click.argument("place", type=DocumentPlace(), metavar="DOCUMENT[:LINE]", shell_complete=values.places)
@click.option("--ids", is_flag=True, help="One token a line with its id; without LINE, of every row.")
@click.option(
    "--long-rows",
    type=click.Choice(["error", "cut", "skip"]),
    default="error",
    show_default=True,
    help="What a run would do with questions and answers longer than training.sequence_len.",
)
@allow_secret_option
@json_option
@click.pass_obj
def tokens(
    plugins: Plugins,
    place: tuple[Path, int | None],
    ids: bool,
    long_rows: Any,
    allow_secret: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Show what of DOCUMENT trains; with LINE, the rows of the section there exactly as the trainer reads them."""
    from ..coverage import look
    from ..sources.allowed import allow
    from .terminal import wants_color
    from .token_view import Look, document_view, rows_view

    path, line = place
    coverage = look(path, plugins, long_rows, allow(allow_secret))
    rows = list(coverage.rows) if line is None else _rows_at(coverage, path, line)
    if as_json:
        print_json("tokens", {"document": str(path), "line": line, **tokens_json(coverage, rows, long_rows)})
        return
    style = Look.of(sys.stdout, wants_color(sys.stdout))
    whole = line is None and not ids
    for text in document_view(coverage, style) if whole else rows_view(rows, path, line, ids, style):
        print(text)


def _rows_at(coverage: Coverage, path: Path, line: int) -> list[SeenRow]:
    """The rows of the section on a line, or of the source that is named there.  Raises UsageError."""
    sections = coverage.sections
    for here in sections:
        if here.first <= line <= here.last:
            return [seen for seen in coverage.rows_within(here.first, here.last) if not seen.row.source]
    if rows := [seen for seen in coverage.rows_within(line, line) if seen.row.source]:
        return rows
    if line > len(coverage.lines):
        why = f"there is no line {line}: {path} has {len(coverage.lines)} lines"
    else:
        why = f"line {line} of {path} is in no section" + (", but in the frontmatter" * (line < coverage.body_line))
    if not sections:
        raise UsageError(why, "the document has no section of its own; `dlm tokens` without a line shows its sources")
    near = min(sections, key=lambda one: min(abs(one.first - line), abs(one.last - line)))
    command = f"dlm tokens {shlex.quote(f'{path}:{near.first}')}"
    raise UsageError(why, f"the nearest section is on lines {near.first} to {near.last}: `{command}`")


def tokens_json(coverage: Coverage, rows: list[SeenRow], long_rows: str) -> dict[str, Any]:
    """The rows token by token, and their sums, as JSON values."""
    from ..coverage import sum_up

    return {
        "base": coverage.checked.base.key,
        "sequence_len": coverage.sequence_len,
        "long_rows": long_rows,
        "totals": sum_up(rows),
        "rows": [
            {
                "line": seen.row.line,
                "source": seen.row.source or None,
                "section": seen.row.section_id,
                "side": seen.side,
                "phase": seen.phase,
                "kind": seen.row.kind,
                "adapters": list(seen.row.adapters),
                "note": seen.tokens.note or None,
                "pieces": [
                    {
                        "kept": piece.kept,
                        "tokens": [{"id": one.id, "text": one.text, "labelled": one.labelled} for one in piece.tokens],
                    }
                    for piece in seen.tokens.pieces
                ],
            }
            for seen in rows
        ],
    }
