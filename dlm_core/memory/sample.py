"""Which old rows are trained once more, so that what is new does not push them out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from .delta import Known

#: The part of all rows that is trained in one epoch, what is new among them; and the least of the old ones.
PART = 0.14
LEAST_PART = 0.1
LEAST = 16

#: Versions after which a row weighs half, and the least that it weighs.
HALF_LIFE = 8
FLOOR = 0.25


def sample_size(old: int, learn: int) -> int:
    """How many of `old` rows are trained in an epoch beside `learn` rows that are new or changed."""
    of_all = math.ceil(PART * (old + learn)) - learn
    return min(old, max(LEAST, of_all, math.ceil(LEAST_PART * old), learn))


def draw(pool: Sequence[Known], version: int, seed: int, size: int, epochs: int) -> tuple[tuple[str, ...], ...]:
    """For each epoch of a run that starts from `version` the `size` old rows it trains, drawn without replacement.

    No row comes twice before each came once: as many different rows as can be are seen.  A row comes the earlier the
    later it entered the document: its weight halves every HALF_LIFE versions, down to FLOOR, and rows are ordered by
    log(u) / weight with u from a hash of seed, version and row (Efraimidis and Spirakis, Weighted random sampling with
    a reservoir, 2006).  The order of `pool` does not matter.
    """
    waiting: list[str] = []
    turns, rounds = [], 0
    for _ in range(epochs):
        turn: dict[str, None] = {}
        put_off = []
        while len(turn) < size:
            if not waiting:
                waiting, rounds = _shuffled(pool, version, seed, rounds), rounds + 1
            one = waiting.pop()
            if one in turn:
                put_off.append(one)
            turn[one] = None
        waiting += put_off[::-1]
        turns.append(tuple(sorted(turn)))
    return tuple(turns)


def weight(age: int) -> float:
    """How likely a row is drawn, `age` versions after it was first trained."""
    return float(max(FLOOR, 0.5 ** (age / HALF_LIFE)))


def _shuffled(pool: Sequence[Known], version: int, seed: int, rounds: int) -> list[str]:
    """The rows by their keys, the first to come last."""

    def key(entry: Known) -> tuple[float, str]:
        digest = hashlib.sha256(f"{seed}\nreplay\n{version}\n{rounds}\n{entry.id}".encode()).digest()
        u = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
        return math.log(u) / weight(version - entry.first), entry.id

    return [entry.id for entry in sorted(pool, key=key)]
