"""Licences of base models that the user has accepted, in `$DLM_HOME/licences.json`."""

from __future__ import annotations

import json
from pathlib import Path

from ..files import default_home
from . import atomic, lock, objects
from .generations import now


def is_accepted(key: str, license: str, home: Path | None = None) -> bool:
    """Whether the user accepted this licence for the base `key`; another licence of the same base counts as new."""
    entry = _read(_path(home)).get(key)
    return entry is not None and entry.get("license") == license


def accept(key: str, license: str, home: Path | None = None) -> None:
    """Remember the user's yes.  Raises StoreError when it cannot be written."""
    path = _path(home)
    atomic.make_folder(path.parent)
    with lock.hold(path.with_name("licences.lock")):
        accepted = {**_read(path), key: {"license": license, "accepted": now()}}
        atomic.write_file(path, objects.encode(accepted))


def _path(home: Path | None) -> Path:
    return (home or default_home()) / "licences.json"


def _read(path: Path) -> dict[str, dict[str, str]]:
    """What was accepted; a file that cannot be understood counts as nothing, so the user is asked again."""
    data = atomic.read_if_there(path)
    try:
        value = json.loads(data) if data is not None else {}
    except ValueError:
        value = {}
    if not isinstance(value, dict):
        return {}
    return {key: entry for key, entry in value.items() if isinstance(entry, dict)}
