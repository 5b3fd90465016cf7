"""What the terminal can show, and small helpers to print."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, cast

from ..units import bytes_text as bytes_text
from ..units import seconds_text as seconds_text
from .streams import is_unicode

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
    file = stream if stream.isatty() else cast("IO[str]", _Trimmed(stream))
    return Console(file=file, no_color=not color, force_terminal=color or None, highlight=False, width=width)


class _Trimmed:
    """A stream whose lines do not end in blanks, with which rich fills the last column of a table."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        *lines, rest = text.split("\n")
        return self._stream.write("\n".join([*(line.rstrip(" ") for line in lines), rest]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


#: Whether this command has printed its report: an error after it is told by the exit code and on stderr alone.
_reported = [False]


def print_json(kind: str, value: Mapping[str, Any]) -> None:
    """One JSON object on stdout, with the kind of report and the version of its schema."""
    _reported[0] = True
    print(json_line({"dlm": kind, "schema": JSON_SCHEMA, **value}))


def print_json_error(code: int, message: str, hint: str | None, problems: list[dict[str, Any]]) -> None:
    """The failure of a command as one JSON object, unless its report was printed already.

    It is both a report and the last event of a stream of events.
    """
    if not _reported[0]:
        about = {"exit_code": code, "message": message, "hint": hint, "problems": problems}
        print(json_line({"dlm": "error", "schema": JSON_SCHEMA, "event": "error", "v": JSON_SCHEMA, **about}))


def new_report() -> None:
    """Nothing has been printed yet: a command begins."""
    _reported[0] = False


def json_line(value: Any) -> str:
    """A value as JSON in one line that stdout's encoding can hold."""
    return json.dumps(plain(value), ensure_ascii=not is_unicode(sys.stdout), allow_nan=False)


def plain(value: Any) -> Any:
    """A value as JSON has them: dataclasses as objects, paths as text, numbers that are not finite as null."""
    from dataclasses import fields, is_dataclass

    if hasattr(value, "to_json"):
        return plain(value.to_json())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=str)
    return str(value)


def process_memory() -> int:
    """The memory this process holds in bytes; where the system does not say it, the most it ever held."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
