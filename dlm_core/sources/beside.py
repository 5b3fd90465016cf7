"""Files that describe another beside them, as readers declare it: they are no text of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..api import SourceReader


class Beside:
    """Which file another one describes.  A folder is listed once, when a file in it could describe one."""

    def __init__(self, readers: Iterable[SourceReader]) -> None:
        self._described: dict[str, frozenset[str]] = {}
        for reader in readers:
            if reader.beside:
                self._described[reader.beside] = self._described.get(reader.beside, frozenset()) | reader.suffixes
        self._listed: tuple[str, dict[str, list[str]]] = ("", {})

    def described_by(self, path: str) -> str:
        """The name of the file that the one at `path` describes; empty when it describes none."""
        folder, _, name = path.rpartition("/")
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  (run for every file of a tree)
        suffixes = self._described.get(suffix)
        if suffixes is None:
            return ""
        if folder != self._listed[0]:
            self._listed = (folder, _by_stem(folder))
        return next((other for other in self._listed[1].get(stem, ()) if _suffix(other) in suffixes), "")


def _by_stem(folder: str) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = {}
    try:
        names = os.listdir(folder or "/")  # noqa: PTH208
    except OSError:
        return {}
    for name in sorted(names):
        stems.setdefault(os.path.splitext(name)[0], []).append(name)  # noqa: PTH122
    return stems


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
