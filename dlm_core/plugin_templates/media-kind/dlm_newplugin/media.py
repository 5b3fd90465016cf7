"""The media kind: a text file of numbers, as many as the base's policy says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlm_core.api import MediaKind

#: How many numbers a file holds when the base does not say.
COUNT = 8


class NewPlugin(MediaKind):
    name = "newplugin"

    def probe(self, path: Path) -> Mapping[str, Any]:
        return {"numbers": len(numbers(path.read_bytes()))}

    def load(self, blob: bytes, policy: Mapping[str, Any]) -> list[float]:
        """As many numbers as the policy says: cut, or filled up with zeros."""
        count = policy.get("numbers", COUNT)
        return [*numbers(blob)[:count], *[0.0] * (count - len(numbers(blob)))]

    def fingerprint(self, policy: Mapping[str, Any]) -> str:
        return f"newplugin-1:{policy.get('numbers', COUNT)}"

    def control_input(self) -> list[float]:
        return [0.0] * COUNT


def numbers(blob: bytes) -> list[float]:
    """The numbers in a file.  Raises ValueError for anything else."""
    found = [float(word) for word in blob.decode("utf-8").split()]
    if not found or not all(map(math.isfinite, found)):
        raise ValueError("a file of this kind holds finite numbers with blanks between them")
    return found
