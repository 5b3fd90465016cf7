"""`dlm check`: every problem of a document in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..api import DocumentError, Problem
from ..plugins import Plugins
from .common import document_argument, json_option
from .terminal import print_json

if TYPE_CHECKING:
    from ..sources.decisions import Decision


@click.command()
@document_argument
@click.option(
    "--sources", "every_file", is_flag=True, help="List every file of its sources, with the rule that decided."
)
@json_option
@click.pass_obj
def check(plugins: Plugins, document: Path, every_file: bool, as_json: bool) -> None:
    """Report every problem of DOCUMENT, with its line, and what to do about it.  Exit code 3 when there are errors."""
    import sys

    from .. import checking
    from ..diagnostics import render
    from . import why
    from .errors import read_text
    from .terminal import wants_color

    decisions: list[Decision] = []
    see = decisions.append if as_json and every_file else (lambda one: print(why.line(one))) if every_file else None
    try:
        checked = checking.check(document, plugins, see)
    except DocumentError as error:
        if as_json:
            print_json("check", {"document": str(document), "problems": [problem_json(p) for p in error.problems]})
            sys.exit(error.exit_code)
        raise
    doc, rows = checked.doc, checked.rows
    if as_json:
        problems = [problem_json(problem) for problem in doc.warnings]
        files = {"decisions": [decision.to_json() for decision in decisions]} if every_file else {}
        sources = {**checked.tally.to_json(), **files}
        print_json("check", {"document": str(document), "problems": problems, "rows": len(rows), "sources": sources})
        return
    if doc.warnings:
        print(
            render(why.shortened(doc.warnings), document, read_text(document), color=wants_color(sys.stderr)),
            file=sys.stderr,
        )
    print(f"{document}: ok, {len(doc.sections)} sections, {len(rows)} rows")
    for text in why.summary(checked.tally, document):
        print(text)


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem as JSON values."""
    return {
        "severity": problem.severity,
        "code": problem.code,
        "line": problem.span.line,
        "col": problem.span.col,
        "width": problem.span.width,
        "message": problem.message,
        "help": problem.hint,
        "file": str(problem.file) if problem.file else None,
    }
