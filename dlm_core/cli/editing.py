"""What the commands that change documents share: reading one, naming it in errors, telling what changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..api import DlmError, DocumentError, UsageError
from ..plugins import Plugins


def read_bytes(path: Path) -> bytes:
    """A document's bytes.  Raises UsageError when there is no such file or it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


def plugin_markers(plugins: Plugins) -> frozenset[str]:
    """The provenance markers that the section types at work here know."""
    return frozenset().union(*(kind.markers for kind in plugins.section_types.values()))


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Say of which document the problems are that an edit found in its bytes."""
    try:
        yield
    except DocumentError as error:
        raise DocumentError(path, error.problems) from None


def change_json(path: Path, before: bytes, after: bytes, is_written: bool) -> dict[str, Any]:
    """A change as JSON values: whether there is one, whether the file holds it now, and what it is."""
    from ..editing import unified_diff

    changed = after != before
    diff = unified_diff(before, after, path)
    return {"document": str(path), "changed": changed, "written": changed and is_written, "diff": diff}


def error_json(path: Path, error: DlmError) -> dict[str, Any]:
    """In the place of a change: why there is none."""
    from .json_error import error_values

    return {"document": str(path), "changed": False, "written": False, "diff": "", "error": error_values(error)}


def print_diff(before: bytes, after: bytes, path: Path) -> None:
    """What changed, on stdout; in colour at a terminal."""
    from ..editing import unified_diff
    from .terminal import wants_color

    color = wants_color(sys.stdout)
    colors = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
    for line in unified_diff(before, after, path).split("\n"):
        paint = colors.get(line[:1]) if color else None
        if sys.stdout.isatty():
            line = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in line)
        print(f"{paint}{line}\x1b[0m" if paint else line)
