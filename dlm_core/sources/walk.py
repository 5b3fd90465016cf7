"""Walk a source's folder in a fixed order, leaving out what nobody means to train on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

#: Folders that hold no text of the author's: version control, environments, build output, caches.
SKIPPED_FOLDERS = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".dlm",
        ".venv",
        "venv",
        "env",
        "node_modules",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".nox",
        ".cache",
        "build",
        "dist",
        "target",
        ".idea",
        ".vscode",
        ".terraform",
        "site-packages",
        ".ssh",
        ".aws",
        ".gnupg",
        ".azure",
        ".kube",
    ]
)

#: Files that are machine-made or secret.
SKIPPED_FILES = frozenset(
    [
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "Cargo.lock",
        "Gemfile.lock",
        "composer.lock",
        "go.sum",
        ".netrc",
        ".git-credentials",
        ".npmrc",
        ".pypirc",
        ".DS_Store",
    ]
)
SKIPPED_SUFFIXES = (".pem", ".key", ".p12", ".pfx", ".pyc", ".so", ".o", ".class")


def is_secret_or_made(name: str) -> bool:
    """Whether a file of this name is left out wherever it lies."""
    return (
        name in SKIPPED_FILES
        or name.startswith((".env", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa"))
        or name.endswith(SKIPPED_SUFFIXES)
    )


def walk(root: Path) -> Iterator[Path]:
    """Every regular file below `root`, sorted within each folder; links to folders are not followed."""
    with os.scandir(root) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED_FOLDERS:
                yield from walk(Path(entry.path))
        elif entry.is_file() and not is_secret_or_made(entry.name):
            yield Path(entry.path)
