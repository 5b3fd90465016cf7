"""For plugins: what was made of rows, kept between runs in one SQLite file for all documents.

An engine or trainer that turns rows into something costly asks `base.cache` (None where nothing is to be kept):

    found = cache.read(context, [row.hash for row in rows], decode)
    missing = {row.hash: encode(row) for row in rows if row.hash not in found}
    cache.write(context, missing)

`context` maps the names of everything else that decides the result to their values: tokenizer, template, version of
the code that makes it.  Values are bytes.  Nothing here raises for a file that is damaged, locked or full: what cannot
be read is made again, and what cannot be written is not kept.  Give it many rows at a time, in the thousands: each call
is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .row_cache import Context, RowCache
from .settings import CacheSettings, cache_path, settings_of

__all__ = ["CacheSettings", "Context", "RowCache", "cache_of", "cache_path"]


def cache_of(config: Mapping[str, Any], warn: Callable[[str], None]) -> RowCache | None:
    """The cache as a document's validated frontmatter wants it; None when it is switched off."""
    settings = settings_of(config)
    return RowCache(settings, warn=warn) if settings else None
