"""Where a media file lies that a section names or a command line gives, and whether it may be read (FORMAT §4, §6)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import Document, Media, Section
from ..files import expand_home
from ..sources.opening import open_regular
from ..sources.secret import is_secret_name
from ..sources.source import home_of

if TYPE_CHECKING:
    from ..plugins import Plugins


def media_file(folder: Path, name: str) -> Path:
    """The absolute path of a file named in a document of this folder.

    Raises OSError for one that is not there, ValueError for what is no plain file or is never read.
    """
    path = Path(os.path.abspath(folder / expand_home(name)))  # noqa: PTH100 (links stay: the name is the author's)
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a plain file")
    if is_secret_name(str(path)) or is_secret_name(os.path.realpath(path)):
        raise ValueError("it is secret and never read")
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits.  Raises OSError, and ValueError for what is no plain file."""
    descriptor, _, _ = open_regular(str(path), follow=True)
    with os.fdopen(descriptor, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def section_media(kind: str, section: Section, doc: Document, options: Mapping[str, Any] | None = None) -> Media:
    """A part about the file that a section names by its attribute `path`, or that it was read from.

    Raises ValueError for a file that cannot be read or must not be.
    """
    if section.source:
        return media_part(kind, Path(section.file), options)
    return media_part(kind, doc.path.parent / expand_home(section.attrs["path"]), options)


def media_part(kind: str, path: Path, options: Mapping[str, Any] | None = None) -> Media:
    """A part of a message about a file.  Raises ValueError for one that cannot be read or must not be."""
    try:
        found = media_file(path.parent, path.name)
        return Media(kind, str(found), file_sha256(found), options or {})
    except OSError as error:
        raise ValueError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


def outside(document: Document, plugins: Plugins) -> Iterator[tuple[Section, str]]:
    """The sections that name a media file outside the document's folder, each with the file's path without links."""
    home = home_of(document.path)
    for section in document.sections:
        kind = plugins.section_types.get(section.type)
        if kind is None or any(one.required and not section.attrs.get(name) for name, one in kind.attrs.items()):
            continue  # what is missing is told elsewhere
        for _, name in kind.media(section):
            real = os.path.realpath(document.path.parent / expand_home(name))
            if not real.startswith(home.rstrip("/") + "/"):
                yield section, real
