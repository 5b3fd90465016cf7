"""Names that the document format keeps for plugins that nobody has released yet, written by hand.

An entry leaves this list when a plugin provides it: from then on `known.py`, which is generated, says who.
"""

from __future__ import annotations

#: (kind, name)
RESERVED = frozenset(
    {
        ("config block", "training.audio"),
        ("section type", "audio"),
    }
)
