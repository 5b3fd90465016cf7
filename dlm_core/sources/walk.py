"""Walk a source's folder in a fixed order, leaving out what nobody means to train on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .secret import is_secret, is_secret_name

#: Folders that hold no text of the author's: version control, environments, build output, caches.
SKIPPED_FOLDERS = frozenset(
    [
        *(".git", ".hg", ".svn", ".dlm", ".venv", "venv", "env", "node_modules", "site-packages", "__pycache__"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".cache"),
        *("build", "dist", "target", ".idea", ".vscode", ".terraform"),
    ]
)

#: Files that are machine-made.
SKIPPED_FILES = frozenset(
    [
        *("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "uv.lock", "Cargo.lock"),
        *("Gemfile.lock", "composer.lock", "go.sum", ".DS_Store"),
    ]
)
SKIPPED_SUFFIXES = (".pyc", ".so", ".o", ".class")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, or with `why` a file or folder that is not read and worth a warning."""

    path: Path
    why: str = ""
    is_folder: bool = False


def walk(root: Path) -> Iterator[Found]:
    """Everything below `root`, an absolute path without links, sorted within each folder.

    Links to folders are not followed.  A folder that cannot be listed, `root` included, is found with its reason.
    """
    levels = [_listing(root)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif isinstance(entry, Found):
            yield entry
        elif not entry.is_dir(follow_symlinks=False):
            if not (entry.name in SKIPPED_FILES or entry.name.endswith(SKIPPED_SUFFIXES)):
                yield Found(Path(entry.path), _why_not(entry))
        elif entry.name in SKIPPED_FOLDERS:
            continue
        elif is_secret_name(entry.path):
            yield Found(Path(entry.path), "secret", is_folder=True)
        else:
            levels.append(_listing(Path(entry.path)))


def _listing(folder: Path) -> Iterator[os.DirEntry[str] | Found]:
    try:
        with os.scandir(folder) as entries:
            return iter(sorted(entries, key=lambda entry: entry.name))
    except OSError as error:
        return iter([Found(folder, reason(error), is_folder=True)])


def _why_not(entry: os.DirEntry[str]) -> str:
    """Why a file is not to be read; empty when it is."""
    secret = is_secret(Path(entry.path)) if entry.is_symlink() else is_secret_name(entry.path)
    if secret:
        return "secret"
    try:
        if entry.is_file():
            return ""
        return "a link to a folder, which is not followed" if entry.is_dir() else "not a regular file"
    except OSError as error:
        return reason(error)


def reason(error: Exception) -> str:
    """What the operating system, or else the error, says."""
    return (getattr(error, "strerror", None) or str(error)).lower()
