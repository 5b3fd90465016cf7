"""Find what `training.sources` names: a file or a folder, and where a document's paths start."""

# Strings, not Path objects: they are compared with those of a walk.
# ruff: noqa: PTH100, PTH119, PTH120

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..api import Problem, Span
from ..files import default_home, expand_home
from .allowed import Allowed
from .globs import Globs, compile_globs
from .secret import is_secret
from .walk import reason


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of `training.sources`, found: `root` is a path without links; `is_secret` says that all below is."""

    text: str
    root: str
    is_file: bool
    where: Span
    include: Globs
    exclude: Globs
    most_bytes: int | None
    most_files: int | None
    is_secret: bool = False


def home_of(document: Path) -> str:
    """The folder a document's relative paths start at, without links: its own, or the one above when that is .dlm.

    Where DLM keeps its own files may be called .dlm too; what lies above that one is the user's whole home.
    """
    own = os.path.dirname(os.path.abspath(document))
    home = os.path.realpath(own)
    if os.path.basename(own) != ".dlm" or home == os.path.realpath(default_home()):
        return home
    return os.path.realpath(os.path.dirname(own))


def find_source(home: Path, source: Mapping[str, Any], where: Span, allowed: Allowed) -> Source | Problem:
    """The file or folder that a source names; or what is wrong with it."""
    text = source["path"]
    try:
        root = home / expand_home(text)
        secret, real = is_secret(root), os.path.realpath(root)
        if secret and not allowed.reaches(real):
            return secret_problem(where, text)
        is_file = _is_file(root)
        include, exclude = compile_globs(tuple(source["include"])), compile_globs(tuple(source["exclude"]))
    except (FileNotFoundError, NotADirectoryError):
        return Problem(where, f"the source {text} does not exist", f"looked for {root}", code="DLM0501")
    except (OSError, ValueError, RuntimeError) as error:
        # RuntimeError is what `~` of an unknown user and, before Python 3.13, a circle of links give.
        return unusable(where, text, reason(error))
    return Source(
        text,
        real,
        is_file,
        where,
        include,
        exclude,
        source["max_bytes_per_file"],
        source["max_files"],
        secret,
    )


def _is_file(root: Path) -> bool:
    """Raises OSError when it is not there, ValueError when it is neither a file nor a folder."""
    kind = root.stat().st_mode
    if stat.S_ISDIR(kind):
        return False
    if stat.S_ISREG(kind):
        return True
    raise ValueError("it is neither a file nor a folder")


def secret_problem(where: Span, name: str) -> Problem:
    """What is said of a source that is secret."""
    hint = "keys, tokens and what a system keeps private are no sources; name another file or folder"
    return Problem(where, f"the source {name} is secret and never read", hint, code="DLM0505")


def unusable(where: Span, name: str, why: str) -> Problem:
    """What is said of a source that is there and cannot be read."""
    return Problem(where, f"the source {name} cannot be read: {why}", None, code="DLM0506")
