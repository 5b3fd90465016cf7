"""For plugins: opening the files that rows carry, the way one base wants them.

An engine or trainer makes one reader for a base and asks it for each part:

    reader = media_reader(plugins, base.model.accepts, base.cache)
    size = reader.facts(part)      # small JSON values; the file is opened only when nothing is known of it yet
    loaded = reader.load(part)     # what the part's kind makes of the file

What a kind makes of a file is kept in the cache of rows under the file's SHA-256 and the kind's fingerprint, in the
kind's own packed form.  A kind is never interpreted here.  A section type gets the part for its rows with
`section_media(kind, section, doc)`.
"""

from __future__ import annotations

from .paths import media_part, section_media
from .reader import MediaReader, media_reader

__all__ = ["MediaReader", "media_part", "media_reader", "section_media"]
