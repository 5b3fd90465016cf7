"""The codes of problems and what they mean."""

from __future__ import annotations

from dlm_core.document.codes import TITLES


def pages() -> str:
    """A table of every code with its title."""
    rows = [f"| `{code}` | {title} |" for code, title in sorted(TITLES.items())]
    return "\n".join(["| code | problem |", "|---|---|", *rows])
