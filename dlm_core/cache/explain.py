"""Why a document's rows are in the cache or not: each is asked for, and what is missing is held against its like."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..api import Row
from ..checking import check
from ..document.settings import training_settings
from ..media.reader import FACTS, MEDIA
from ..planning.bases import find_engine
from ..plugins import Plugins
from .row_cache import Context, RowCache, Value, digest_of, key_of
from .settings import CacheSettings, settings_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fate:
    """Rows that share a fate: of which sort they are, whether they are kept, and if not, why.

    Media files are rows whose sort is their kind.  `lines` are those of the document's own rows; rows of sources stand
    at the line that names the source.
    """

    sort: str
    kept: bool
    why: str
    rows: int
    lines: tuple[int, ...]


#: Parts of a context that name the kind of a file rather than the sort of a row.
_OF_FILES = (MEDIA, FACTS)


class Watched(RowCache):
    """A cache that is read and never written, and remembers what was asked of it."""

    def __init__(self, settings: CacheSettings) -> None:
        super().__init__(settings)
        self._is_pruned = True
        self.asked: list[tuple[Context, str]] = []
        self.kept: set[tuple[bytes, str]] = set()
        self.refusals: dict[tuple[bytes, str], str] = {}

    def read(self, context: Context, names: Iterable[str], decode: Callable[[Value], T]) -> dict[str, T]:
        wanted = list(names)
        found = super().read(context, wanted, decode) if self.path.exists() else {}
        self.asked += ((context, name) for name in wanted)
        self.kept |= {(digest_of(context), name) for name in found}
        return found

    def write(self, context: Context, values: Mapping[str, bytes]) -> None:
        return None

    def refused(self, context: Context, name: str, reason: str) -> None:
        self.refusals[digest_of(context), name] = reason

    def why(self, context: Context, names: list[str]) -> dict[str, str]:
        """For rows that are not kept, how their nearest entries differ from what is asked for now."""
        told = {name: self.refusals.get((digest_of(context), name), "") for name in names}
        unknown = [name for name, reason in told.items() if not reason]
        never = "never decoded" if context.keys() & _OF_FILES else "never tokenized"
        near = self._work(lambda database: _nearest(database, context, unknown)) if self.path.exists() else None
        return told | {name: (near or {}).get(name) or never for name in unknown}

    def _stale_before(self, database: sqlite3.Connection) -> int:
        return 0


def explain(path: Path, plugins: Plugins) -> tuple[list[Fate], bool]:
    """The fates of a document's rows, and whether it uses the cache at all.  Fetches and writes nothing, no torch."""
    checked = check(path, plugins)
    doc = checked.doc
    settings = settings_of(doc.config)
    engine = find_engine(checked.base, plugins)
    cache = Watched(settings or CacheSettings())
    base = replace(engine.locate(checked.base, fetch=False), cache=cache)
    length = training_settings(doc).sequence_len
    trained = [row for _, train, validation in checked.assigned for row in (*train, *validation)]
    engine.measure(base, trained, doc.system_prompt, length)
    engine.measure(base, checked.exam_only, doc.system_prompt, base.shape.context)
    return _fates(cache, (*trained, *checked.exam_only)), settings is not None


def _fates(cache: Watched, rows: Iterable[Row]) -> list[Fate]:
    lines: dict[str, set[int]] = {}
    for row in rows:
        for one in row.choices or (row,):
            for name in (one.hash, *(part.sha256 for part in one.media)):
                lines.setdefault(name, set()).add(row.span.line)
    contexts = {digest_of(context): context for context, _ in cache.asked}
    groups: dict[tuple[str, bool, str], dict[str, None]] = {}
    for digest, context in contexts.items():
        names = list(dict.fromkeys(name for other, name in cache.asked if digest_of(other) == digest))
        missing = [name for name in names if (digest, name) not in cache.kept]
        why = cache.why(context, missing)
        for name in names:
            sort = next((context[name] for name in ("rows", *_OF_FILES) if name in context), "")
            groups.setdefault((sort, name not in why, why.get(name, "")), {})[name] = None
    return [
        Fate(sort, kept, why, len(names), tuple(sorted(set().union(*(lines.get(name, set()) for name in names)))))
        for (sort, kept, why), names in groups.items()
    ]


def _nearest(database: sqlite3.Connection, context: Context, names: list[str]) -> dict[str, str]:
    """Row -> how its nearest entry differs, in the names of the context's parts; rows without any are left out."""
    found: dict[str, str] = {}
    query = "SELECT parts FROM rows JOIN contexts ON contexts.id = context WHERE row = ? AND digest != ?"
    for name in names:
        others = [json.loads(parts) for (parts,) in database.execute(query, (key_of(name), digest_of(context)))]
        if others := [other for other in others if other.keys() == context.keys()]:
            told = [differences(other, context) for other in others]
            found[name] = ", ".join(sorted(told, key=len)[0])
    return found


def differences(before: Context, now: Context) -> list[str]:
    """What changed between two contexts: `chat template changed`, `sequence length 1024 → 2048`."""
    told = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, "none"), now.get(name, "none")
        if old != new:
            shown = not any(value.startswith("sha256 ") or len(value) > 40 for value in (old, new))
            told.append(f"{name} {old} → {new}" if shown else f"{name} changed")
    return told
