"""Which documents may read outside their own folder: remembered beside the store, never in a document (FORMAT §6)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..api import Document
from ..files import expand_home
from .source import home_of


def is_trusted(doc: Document) -> bool:
    """Whether the owner trusts this document, at this path, with these sources."""
    entry = _read(_path()).get(_key(doc))
    return isinstance(entry, dict) and entry.get("sources") == _mark(doc)


def trust(doc: Document) -> None:
    """Remember the owner's yes.  Raises StoreError when it cannot be written."""
    from ..store import atomic, lock
    from ..store.generations import now

    path = _path()
    atomic.make_folder(path.parent)
    with lock.hold(path.with_name("trust.lock")):
        trusted = {**_read(path), _key(doc): {"sources": _mark(doc), "trusted": now()}}
        atomic.write_file(path, json.dumps(trusted, indent=1, sort_keys=True).encode())


def _key(doc: Document) -> str:
    return os.path.realpath(doc.path)


def _mark(doc: Document) -> str:
    """What was trusted: the id, and the part of the frontmatter that says which files are read."""
    training = doc.config["training"]
    value = [doc.id, training["sources"], training["sources_policy"], *_files_outside(doc)]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _files_outside(doc: Document) -> list[str]:
    """The files outside the document's folder that its sections name."""
    home = f"{home_of(doc.path).rstrip('/')}/"
    paths = {os.path.realpath(doc.path.parent / expand_home(one.attrs.get("path", ""))) for one in doc.sections}
    return sorted(path for path in paths if not f"{path}/".startswith(home))


def _path() -> Path:
    from ..files import default_home

    return default_home() / "trust.json"


def _read(path: Path) -> dict[str, Any]:
    """What was trusted; a file that cannot be understood counts as nothing, so the owner is asked again."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
