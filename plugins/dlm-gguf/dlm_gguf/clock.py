"""Chat templates without a clock: training renders rows with a fixed date, so the file renders chats with it too."""

from __future__ import annotations

import re
from datetime import datetime

_TODAY = datetime(2025, 1, 1)  # the engine's; the parity gate renders the document's chats on both sides
_TEST = re.compile(r"\bstrftime_now\s+is\s+(not\s+)?defined\b")
_CALL = re.compile(r"""\bstrftime_now\s*\(\s*(["'])((?:(?!\1)[^\\])*)\1\s*\)""")


def without_clock(source: str) -> str:
    """The template with what it asks of `strftime_now` answered: there is none, or else it says the fixed date."""
    source = _TEST.sub(lambda found: "true" if found[1] else "false", source)
    return _CALL.sub(lambda found: f"{found[1]}{_TODAY.strftime(found[2])}{found[1]}", source)
