"""`dlm check`: every problem of a document in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..api import DocumentError, Fix, Problem, UsageError
from ..plugins import Plugins
from .common import allow_secret_option, document_argument, json_option
from .terminal import print_json

if TYPE_CHECKING:
    from ..sources.decisions import Decision


@click.command()
@document_argument
@click.option(
    "--sources", "every_file", is_flag=True, help="List every file of its sources, with the rule that decided."
)
@click.option("--fix", "repair", is_flag=True, help="Repair what needs no question, then report what remains.")
@click.option("--diff", "only_show", is_flag=True, help="With --fix: change nothing; show what would change.")
@allow_secret_option
@json_option
@click.pass_obj
def check(
    plugins: Plugins,
    document: Path,
    every_file: bool,
    repair: bool,
    only_show: bool,
    allow_secret: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Report every problem of DOCUMENT, with its line, and what to do about it.  Exit code 3 when there are errors.

    With --fix, problems that can only be meant in one way are repaired in the file first: nothing else of it changes.
    """
    import sys

    from .. import checking
    from ..diagnostics import render
    from ..sources.allowed import allow
    from . import why
    from .errors import read_text
    from .terminal import wants_color

    allowed = allow(allow_secret)
    if only_show and not repair:
        raise UsageError("--diff shows what --fix would change", "write --fix --diff")
    fixed = _fix(document, plugins, only_show, as_json) if repair else {}
    decisions: list[Decision] = []
    see = decisions.append if as_json and every_file else (lambda one: print(why.line(one))) if every_file else None
    try:
        checked = checking.check(document, plugins, see, allowed)
    except DocumentError as error:
        if as_json:
            found = {"problems": [problem_json(p) for p in error.problems]}
            print_json("check", {"document": str(document), **found, **fixed})
            sys.exit(error.exit_code)
        raise
    doc, rows = checked.doc, checked.rows
    if as_json:
        problems = [problem_json(problem) for problem in doc.warnings]
        files = {"decisions": [decision.to_json() for decision in decisions]} if every_file else {}
        sources = {**checked.tally.to_json(), **files}
        about = {"document": str(document), "problems": problems, "rows": len(rows), "sources": sources, **fixed}
        print_json("check", about)
        return
    if doc.warnings:
        print(
            render(why.shortened(doc.warnings), document, read_text(document), color=wants_color(sys.stderr)),
            file=sys.stderr,
        )
    print(f"{document}: ok, {len(doc.sections)} sections, {len(rows)} rows")
    for text in why.summary(checked.tally, document):
        print(text)


def _fix(document: Path, plugins: Plugins, only_show: bool, as_json: bool) -> dict[str, Any]:
    """Repair the document, or show how; what was repaired is told, or given as JSON values."""
    from ..document import read_bytes
    from ..editing import unified_diff, write_document
    from ..fixing import fix_bytes, problems_of
    from .editing import print_diff

    made = fix_bytes(read_bytes(document), problems_of(document, plugins))
    if not only_show:
        write_document(document, made.after, made.before)
    if as_json:
        shown = {"diff": unified_diff(made.before, made.after, document)} if only_show else {}
        return {"fixed": [problem_json(problem) for problem in made.problems], **shown}
    if only_show and made.problems:
        print_diff(made.before, made.after, document)
        return {}
    for problem in made.problems:
        print(f"repaired {document}:{problem.span.line}:{problem.span.col}: {problem.message}")
    if not made.problems:
        print(f"{document}: nothing to repair")
    return {}


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
        "fix": fix_json(problem.fix),
    }


def fix_json(fix: Fix | None) -> dict[str, Any] | None:
    """A repair as JSON values."""
    if fix is None:
        return None
    return {"line": fix.span.line, "col": fix.span.col, "width": fix.span.width, "text": fix.text}
