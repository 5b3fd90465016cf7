"""The errors that a plugin or a program may raise and catch, with their exit codes, from their classes."""

from __future__ import annotations

import inspect

from dlm_core.api import DlmError, errors


def table() -> str:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DlmError)]
    rows = [f"| `{kind.__name__}` | {kind.exit_code} | {meaning(kind)} |" for kind in sorted(kinds, key=order)]
    return "\n".join(["| class | exit code | when |", "|---|---|---|", *rows])


def order(kind: type[DlmError]) -> tuple[int, str]:
    return kind.exit_code, kind.__name__


def meaning(kind: type[DlmError]) -> str:
    """The first paragraph of the class's own docstring."""
    text = kind.__dict__.get("__doc__") or ""
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split()) or "A command line is wrong in itself."
