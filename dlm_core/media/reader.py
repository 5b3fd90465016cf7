"""Media parts opened for one base, each file decoded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import Media, RunFailedError

if TYPE_CHECKING:
    from ..api import MediaKind
    from ..cache import Context, RowCache
    from ..plugins import Plugins


#: The part of a cache's context that names the kind of what is kept: loaded files, and the few facts of such, which
#: stand apart from them and are counted with nothing.
MEDIA, FACTS = "media", "facts of media"


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
        if part.is_blank:
            return self.kinds[part.kind].facts(self.kinds[part.kind].control_input())
        key = (self.kinds[part.kind].fingerprint(self.policy(part)), part.sha256)
        if key not in self._facts:
            found: Mapping[str, Any] | None = self._kept(part, FACTS, lambda value: json.loads(bytes(value)))
            self._facts[key] = self._open(part)[0] if found is None else found
        return self._facts[key]

    def load(self, part: Media) -> Any:
        """The loaded file.  Raises RunFailedError for one that is gone, was changed or cannot be used."""
        if part.is_blank:
            return self.kinds[part.kind].control_input()
        kept = self._kept(part, MEDIA, self.kinds[part.kind].unpack)
        return self._open(part)[1] if kept is None else kept

    def as_file(self, part: Media) -> tuple[str, bytes] | None:
        """The loaded file in a common type, as the kind's `to_file`.  Raises RunFailedError as `load` does."""
        return self.kinds[part.kind].to_file(self.load(part))

    # -- the file or what is kept of it ------------------------------------------------------------------

    def _open(self, part: Media) -> tuple[Mapping[str, Any], Any]:
        kind = self.kinds[part.kind]
        try:
            loaded = kind.load(_read(part), self.policy(part))
        except ValueError as error:
            raise RunFailedError(f"{part.path} cannot be used: {error}") from error
        facts, packed = kind.facts(loaded), kind.pack(loaded)
        if self.cache and packed is not None:
            self.cache.write(self._context(part, MEDIA), {part.sha256: packed})
            self.cache.write(self._context(part, FACTS), {part.sha256: json.dumps(dict(facts)).encode()})
        return facts, loaded

    def _kept(self, part: Media, what: str, decode: Callable[[bytes | memoryview], Any]) -> Any:
        if self.cache is None:
            return None
        return self.cache.read(self._context(part, what), [part.sha256], decode).get(part.sha256)

    def _context(self, part: Media, what: str) -> Context:
        return {what: part.kind, "loaded as": self.kinds[part.kind].fingerprint(self.policy(part))}


def _read(part: Media) -> bytes:
    """The file's bytes, which must be those that the part was made from."""
    try:
        blob = Path(part.path).read_bytes()
    except OSError as error:
        raise RunFailedError(f"cannot read {part.path}: {error.strerror}", "put the file back") from error
    if hashlib.sha256(blob).hexdigest() != part.sha256:
        raise RunFailedError(f"{part.path} was changed since the document was read", "run the command again")
    return blob
