"""A failed command's object on stdout, for programs that asked for JSON."""

from __future__ import annotations

from typing import Any

import click

from ..api import DlmError, DocumentError
from .terminal import print_json_error


def tell_in_json(error: BaseException, code: int) -> None:
    """Print what happened as `{"dlm": "error", …}`."""
    about = error_values(error)
    print_json_error(code, about["message"], about["hint"], about["problems"])


def error_values(error: BaseException) -> dict[str, Any]:
    """A failure as JSON values: message, hint, and the problems of a document."""
    hint: str | None = None
    problems = []
    match error:
        case DocumentError():
            from .check import problem_json

            message, problems = _count(error), [problem_json(problem) for problem in error.problems]
        case DlmError():
            message, hint = error.message, error.hint
        case click.ClickException():
            message = error.format_message()
        case KeyboardInterrupt() | click.Abort():
            message = "stopped"
        case _:
            message = f"unexpected {type(error).__name__}: {error}"
    return {"message": message, "hint": hint, "problems": problems}


def _count(error: DocumentError) -> str:
    from ..diagnostics import summary

    return f"{error.path}: {summary(error.problems)}"
