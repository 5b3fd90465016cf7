"""For plugins: chat templates without a clock, so that training, prompts and exports all say the same date.

With today's date in every prompt a row would have other ids tomorrow, and the same seed would train other bits.
"""

from __future__ import annotations

import re
from datetime import datetime

#: The date that a template which insists on one is given.
TODAY = datetime(2025, 1, 1)

_TEST = re.compile(r"\bstrftime_now\s+is\s+(not\s+)?defined\b")
_CALL = re.compile(r"""\bstrftime_now\s*\(\s*(["'])((?:(?!\1)[^\\])*)\1\s*\)""")


def without_clock(source: str) -> str:
    """The template with what it asks of `strftime_now` answered once and for all.

    One that looks whether there is a clock finds none and uses the date its authors wrote into it; one that simply
    asks is given `TODAY`.  Other programs that run the result write the same date.
    """
    source = _TEST.sub(lambda found: "true" if found[1] else "false", source)
    return _CALL.sub(lambda found: f"{found[1]}{TODAY.strftime(found[2])}{found[1]}", source)
