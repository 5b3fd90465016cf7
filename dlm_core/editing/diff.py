"""What a change changed, line by line."""

from __future__ import annotations

import difflib
from pathlib import Path

from .lines import plain


def unified_diff(before: bytes, after: bytes, path: Path) -> str:
    """A unified diff; empty when the lines are the same.  Line ends and a byte order mark are named in words."""
    old, new = plain(before), plain(after)
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), f"{path}", f"{path} (changed)", lineterm="", n=2)
    out = list(lines)
    if b"\r" in before and b"\r" not in after:
        out.append("(line ends become LF)")
    if before.startswith(b"\xef\xbb\xbf") and not after.startswith(b"\xef\xbb\xbf"):
        out.append("(the byte order mark goes)")
    return "\n".join(out)
