"""Which old rows are trained once more, so that what is new does not push them out."""

from __future__ import annotations

import heapq
import math
import random
import re
from collections.abc import Collection, Iterable, Mapping

from ..api import Row

#: The part of all rows that is trained in one epoch, what is new among them; and the least of the old ones.
PART = 0.105
LEAST_PART = 0.09
LEAST = 16

#: The part of the old rows in one epoch of a second round, which has few epochs.
SECOND_PART = 0.18

#: Versions after which a row weighs half, and the least that it weighs.
HALF_LIFE = 8
FLOOR = 0.25

#: How much more a row weighs that has all its words in common with one that is new.
KINSHIP = 9.0

#: Characters of a text, and new rows, that are looked at for words in common.
LONGEST, MOST = 2000, 64

_WORD = re.compile(r"\w+")


def sample_size(old: int, learn: int) -> int:
    """How many of `old` rows are trained in an epoch beside `learn` rows that are new or changed."""
    of_all = math.ceil(PART * (old + learn)) - learn
    return min(old, max(LEAST, of_all, math.ceil(LEAST_PART * old), learn))


def second_size(old: int) -> int:
    """How many of `old` rows are trained in an epoch of a second round."""
    return min(old, max(2 * LEAST, math.ceil(SECOND_PART * old)))


def draw(weights: Mapping[str, float], key: str, size: int, epochs: int) -> tuple[tuple[str, ...], ...]:
    """For each epoch `size` of the rows, without replacement, each as likely as its weight says; sorted.

    In every epoch each row has the key log(u) / weight with u drawn at random from `key`; the highest keys win
    (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006).  The order of `weights` is immaterial.
    """
    ordered = sorted(weights.items())
    turns = []
    for epoch in range(epochs):
        chance = random.Random(f"{key}:{epoch}")
        keyed = [(math.log(1.0 - chance.random()) / weight, one) for one, weight in ordered]
        turns.append(tuple(sorted(one for _, one in heapq.nlargest(size, keyed))))
    return tuple(turns)


def recency(age: int) -> float:
    """How much a row weighs, `age` versions after it was first trained."""
    return float(max(FLOOR, 0.5 ** (age / HALF_LIFE)))


def kinship(row: Row, new: Iterable[Collection[str]]) -> float:
    """How much more a row weighs for what it shares with new rows, given as `words_of` each.

    What is learned disturbs its like the most: the measure is the share of words in common (Jaccard), of the most
    similar one.
    """
    mine = words_of(row)
    shared = (len(mine & set(words)) / (len(mine | set(words)) or 1) for words in new)
    return 1.0 + KINSHIP * max(shared, default=0.0)


def words_of(row: Row) -> frozenset[str]:
    """The words a row is about: those of its question, or of its text."""
    said = " ".join(message.text for message in row.question or ()) or " ".join(_strings(row.data))
    return frozenset(_WORD.findall(said[:LONGEST].lower()))


def _strings(data: Mapping[str, object]) -> Iterable[str]:
    return (value for value in data.values() if isinstance(value, str))
