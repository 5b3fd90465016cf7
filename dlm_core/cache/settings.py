"""What a document says about the cache, and where the cache lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import default_home

#: Times are in microseconds since 1970.
DAY = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """`training.cache`: the largest size in bytes, and after how many days without use an entry goes."""

    max_bytes: int = 10 * 2**30
    prune_older_than_days: int = 90


def settings_of(config: Mapping[str, Any]) -> CacheSettings | None:
    """The settings in a document's validated frontmatter; None when the cache is switched off."""
    found = config["training"]["cache"]
    return CacheSettings(found["max_bytes"], found["prune_older_than_days"]) if found["enabled"] else None


def cache_path() -> Path:
    """The cache's file, one for all documents: the same text in two of them is made into tokens once."""
    return default_home() / "cache" / "tokens.sqlite"
