"""The codes of problems and what they mean."""

from __future__ import annotations

from dlm_core.plugins import Plugins


def pages() -> str:
    """A table of every code with its title."""
    known = Plugins.load().explanations.values()
    rows = [f"| `{one.code}` | {one.title} |" for one in known]
    return "\n".join(["| code | problem |", "|---|---|", *rows])
