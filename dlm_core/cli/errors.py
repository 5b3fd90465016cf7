"""Print an expected failure: what, why and what to do."""

from __future__ import annotations

import sys

from ..api import DlmError, DocumentError


def print_error(error: DlmError) -> None:
    """On stderr; a document's problems with their source lines, anything else in one line and a hint."""
    from .terminal import wants_color

    color = wants_color(sys.stderr)
    if isinstance(error, DocumentError):
        from ..diagnostics import render

        print(render(error, error.path, None, color=color), file=sys.stderr)
        return
    red, bold, off = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if color else ("", "", "")
    print(f"{red}{bold}error:{off} {error.message}", file=sys.stderr)
    if error.hint:
        print(f"{bold}  help:{off} {error.hint}", file=sys.stderr)
