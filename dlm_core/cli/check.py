"""`dlm check`: every problem of a document in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..api import DocumentError, Problem
from ..plugins import Plugins
from .common import document_argument, json_option
from .terminal import print_json


@click.command()
@document_argument
@json_option
@click.pass_obj
def check(plugins: Plugins, document: Path, as_json: bool) -> None:
    """Report every problem of DOCUMENT, with its line, and what to do about it.  Exit code 3 when there are errors."""
    import sys

    from .. import checking
    from ..diagnostics import render
    from .errors import read_text
    from .terminal import wants_color

    try:
        checked = checking.check(document, plugins)
    except DocumentError as error:
        if as_json:
            print_json("check", {"document": str(document), "problems": [problem_json(p) for p in error.problems]})
            sys.exit(error.exit_code)
        raise
    doc, rows = checked.doc, checked.rows
    if as_json:
        problems = [problem_json(problem) for problem in doc.warnings]
        print_json("check", {"document": str(document), "problems": problems, "rows": len(rows)})
        return
    if doc.warnings:
        print(render(doc.warnings, document, read_text(document), color=wants_color(sys.stderr)), file=sys.stderr)
    print(f"{document}: ok, {len(doc.sections)} sections, {len(rows)} rows")


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
