"""Sizes and durations for people."""

from __future__ import annotations


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


def change_text(before: float, after: float) -> str:
    """A relative change in whole percent: +22%, and +0% for one too small to show in either direction."""
    return f"{round(after / before - 1, 2) + 0.0 if before else 0.0:+.0%}"
