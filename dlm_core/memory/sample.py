"""Which old rows are trained once more, so that what is new does not push them out."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Callable, Sequence

from .delta import Known

#: The part of the old rows that a run trains once more, and how many at least.
SHARE = 0.1
LEAST = 16

#: Versions after which a row weighs half, and the least that it weighs.
HALF_LIFE = 8
FLOOR = 0.25


def draw(pool: Sequence[Known], version: int, seed: int, size: int) -> tuple[str, ...]:
    """`size` of the rows, or all, drawn without replacement for the run that makes `version`; sorted by identity.

    A row is the more likely the later it entered the document: its weight halves every HALF_LIFE versions, down to
    FLOOR.  Each row has the key log(u) / weight with u from a hash of seed, version and row; the highest keys win
    (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006).  The order of `pool` does not matter.
    """
    key = _keys(version, seed)
    return tuple(sorted(entry.id for entry in heapq.nlargest(size, pool, key=lambda entry: (key(entry), entry.id))))


def sample_size(old: int, learn: int) -> int:
    """How many of `old` rows are trained beside `learn` rows that are new or changed."""
    return min(old, max(LEAST, math.ceil(SHARE * old), learn))


def weight(age: int) -> float:
    """How likely a row is drawn, `age` versions after it was first trained."""
    return float(max(FLOOR, 0.5 ** (age / HALF_LIFE)))


def _keys(version: int, seed: int) -> Callable[[Known], float]:
    def key(entry: Known) -> float:
        digest = hashlib.sha256(f"{seed}\nreplay\n{version}\n{entry.id}".encode()).digest()
        u = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
        return math.log(u) / weight(version - entry.first)

    return key
