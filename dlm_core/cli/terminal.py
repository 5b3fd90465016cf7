"""What the terminal can show, and small helpers to print."""

from __future__ import annotations

import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: The version of every `--json` output; raised when a field is removed or changes its meaning.
JSON_SCHEMA = 1


def wants_color(stream: IO[str]) -> bool:
    """NO_COLOR and FORCE_COLOR decide; otherwise whether the stream is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_live(stream: IO[str]) -> bool:
    """Whether something that moves may be drawn."""
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def console(stream: IO[str] | None = None) -> Console:
    """A rich console for this stream, plain where colour is not wanted."""
    from rich.console import Console

    stream = stream or sys.stdout
    color = wants_color(stream)
    width = None if stream.isatty() else 120
    return Console(file=stream, no_color=not color, force_terminal=color or None, highlight=False, width=width)


def print_json(kind: str, value: Any) -> None:
    """One JSON object on stdout, with the kind of report and the version of its schema."""
    print(json.dumps({"dlm": kind, "schema": JSON_SCHEMA, **value}, ensure_ascii=False, default=str))


def bytes_text(size: float) -> str:
    """A size for people: 8.9 MB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def seconds_text(seconds: float) -> str:
    """A duration for people: 0.4 s, 12 s, 3:07, 1:02:03."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
