"""Media parts opened for one base, each file decoded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import Media, RunFailedError

if TYPE_CHECKING:
    from ..api import MediaKind
    from ..cache import Context, RowCache
    from ..plugins import Plugins


def media_reader(
    plugins: Plugins, accepts: Mapping[str, Mapping[str, Any]], cache: RowCache | None = None
) -> MediaReader:
    """A reader for a base that `accepts` these kinds."""
    return MediaReader(plugins.media_kinds, accepts, cache)


@dataclass(slots=True)
class MediaReader:
    """`accepts` maps each kind that the base takes to the policy its files are loaded with."""

    kinds: Mapping[str, MediaKind]
    accepts: Mapping[str, Mapping[str, Any]]
    cache: RowCache | None = None
    _facts: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def policy(self, part: Media) -> Mapping[str, Any]:
        """What the base wants of files of this kind, and over that what the part itself says."""
        return {**self.accepts.get(part.kind, {}), **part.options}

    def facts(self, part: Media) -> Mapping[str, Any]:
        """What the part's kind tells of the loaded file.  Raises RunFailedError as `load` does."""
        key = (self.kinds[part.kind].fingerprint(self.policy(part)), part.sha256)
        if key not in self._facts:
            self._facts[key] = self._kept_facts(part) or self._open(part)[0]
        return self._facts[key]

    def load(self, part: Media) -> Any:
        """The loaded file.  Raises RunFailedError for one that is gone, was changed or cannot be used."""
        return self._open(part)[1]

    def as_file(self, part: Media) -> tuple[str, bytes] | None:
        """The loaded file in a common type, as the kind's `to_file`.  Raises RunFailedError as `load` does."""
        return self.kinds[part.kind].to_file(self.load(part))

    # -- the file or what is kept of it ------------------------------------------------------------------

    def _open(self, part: Media) -> tuple[Mapping[str, Any], Any]:
        kind = self.kinds[part.kind]
        if part.is_blank:
            blank = kind.control_input()
            return kind.facts(blank), blank
        if kept := self._kept(part):
            facts, packed = kept
            try:
                return facts, kind.unpack(packed)
            except ValueError:  # written by another version, or damaged
                pass
        try:
            loaded = kind.load(_read(part), self.policy(part))
        except ValueError as error:
            raise RunFailedError(f"{part.path} cannot be used: {error}") from error
        facts, made = kind.facts(loaded), kind.pack(loaded)
        if self.cache and made is not None:
            self.cache.write(self._context(part), {part.sha256: _together(facts, made)})
        return facts, loaded

    def _kept_facts(self, part: Media) -> Mapping[str, Any] | None:
        kept = None if part.is_blank else self._kept(part)
        return kept[0] if kept else None

    def _kept(self, part: Media) -> tuple[Mapping[str, Any], memoryview] | None:
        if self.cache is None:
            return None
        return self.cache.read(self._context(part), [part.sha256], _apart).get(part.sha256)

    def _context(self, part: Media) -> Context:
        return {"media": part.kind, "loaded as": self.kinds[part.kind].fingerprint(self.policy(part))}


def _read(part: Media) -> bytes:
    """The file's bytes, which must be those that the part was made from."""
    try:
        blob = Path(part.path).read_bytes()
    except OSError as error:
        raise RunFailedError(f"cannot read {part.path}: {error.strerror}", "put the file back") from error
    if hashlib.sha256(blob).hexdigest() != part.sha256:
        raise RunFailedError(f"{part.path} was changed since the document was read", "run the command again")
    return blob


def _together(facts: Mapping[str, Any], packed: bytes) -> bytes:
    """Length of the facts in four bytes, little-endian, facts as JSON, packed."""
    text = json.dumps(dict(facts), ensure_ascii=False, sort_keys=True).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, packed))


def _apart(value: bytes) -> tuple[Mapping[str, Any], memoryview]:
    end = 4 + int.from_bytes(value[:4], "little")
    if len(value) < end:
        raise ValueError("its length is wrong")
    facts: Mapping[str, Any] = json.loads(value[4:end])
    return facts, memoryview(value)[end:]
