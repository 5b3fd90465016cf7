"""Print an expected failure: what, why and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

from ..api import DlmError, DocumentError


def read_text(path: Path) -> str | None:
    """A document's text to quote from; None when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError:
        return None


def suggest_choice(error: Exception) -> None:
    """Add the closest choice to click's message about a word that is none of an option's choices."""
    choices = getattr(getattr(getattr(error, "param", None), "type", None), "choices", ())
    said = getattr(error, "message", "")
    word = said.split("'")[1] if choices and said.count("'") > 1 else ""
    if word:
        from ..spelling import closest

        if close := closest(word, [str(choice) for choice in choices]):
            error.message = f"{said} Did you mean {close!r}?"  # type: ignore[attr-defined]


def print_unexpected(error: Exception) -> None:
    """A failure nobody foresaw: what it was and where it came from, without a traceback."""
    where = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
    print(f"error: unexpected {type(error).__name__}{where}: {error}", file=sys.stderr)
    print("  help: this is a fault of DLM or of the plugin named; DLM_DEBUG=1 shows the traceback", file=sys.stderr)


def print_error(error: DlmError) -> None:
    """On stderr; a document's problems with their source lines, anything else in one line and a hint."""
    from .terminal import wants_color

    color = wants_color(sys.stderr)
    if isinstance(error, DocumentError):
        from ..diagnostics import render

        print(render(error, error.path, read_text(error.path), color=color), file=sys.stderr)
        return
    red, bold, off = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if color else ("", "", "")
    print(f"{red}{bold}error:{off} {error.message}", file=sys.stderr)
    if error.hint:
        print(f"{bold}  help:{off} {error.hint}", file=sys.stderr)
