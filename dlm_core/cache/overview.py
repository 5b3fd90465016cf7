"""What is in the cache: how many rows, how large, how often read, by tokenizer or kind; for `dlm cache show`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..media.reader import FACTS
from .database import work_on
from .limits import size_of

#: The part of a context that rows are counted by; files are by their kind.
TOKENIZER = "tokenizer"


@dataclass(frozen=True, slots=True)
class Share:
    """The entries of one context: `size` is in bytes, times are in seconds since 1970."""

    context: Mapping[str, str]
    rows: int
    size: int
    hits: int
    oldest: float
    newest: float


@dataclass(frozen=True, slots=True)
class Overview:
    """`size` is what the file takes, in bytes, its pages and indexes included."""

    size: int
    shares: tuple[Share, ...]

    @property
    def rows(self) -> int:
        return sum(share.rows for share in self.shares)

    @property
    def hits(self) -> int:
        return sum(share.hits for share in self.shares)

    @property
    def oldest(self) -> float | None:
        return min((share.oldest for share in self.shares), default=None)

    def by(self, part: str) -> list[Share]:
        """The shares that are alike in a part of their context together, the largest first; that part is all they keep.

        Shares without that part are left out.
        """
        names = dict.fromkeys(share.context[part] for share in self.shares if part in share.context)
        alike = {name: [share for share in self.shares if share.context.get(part) == name] for name in names}
        together = [_together({part: name}, shares) for name, shares in alike.items()]
        return sorted(together, key=lambda share: -share.size)


def overview(path: Path, warn: Callable[[str], None]) -> Overview:
    """What the cache at `path` holds; nothing where there is none."""
    if not path.exists():
        return Overview(0, ())
    return work_on(path, _look, warn) or Overview(0, ())


def _look(database: sqlite3.Connection) -> Overview:
    query = """
        SELECT parts, count(rows.id), coalesce(sum(size), 0), hits, min(used), max(used)
        FROM contexts JOIN rows INDEXED BY by_use ON rows.context = contexts.id GROUP BY contexts.id"""
    shares = [
        Share(json.loads(parts), rows, size, hits, oldest / 1e6, newest / 1e6)
        for parts, rows, size, hits, oldest, newest in database.execute(query)
        if FACTS not in json.loads(parts)
    ]
    return Overview(size_of(database), tuple(shares))


def _together(context: Mapping[str, str], shares: list[Share]) -> Share:
    return Share(
        context,
        sum(share.rows for share in shares),
        sum(share.size for share in shares),
        sum(share.hits for share in shares),
        min(share.oldest for share in shares),
        max(share.newest for share in shares),
    )
