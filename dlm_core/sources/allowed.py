"""The secret files that the command line lets through, one by one: `--allow-secret PATH` (FORMAT §6)."""

# Strings, not Path objects: what is listed is compared with them.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..api import UsageError
from .decisions import Decision


@dataclass(frozen=True, slots=True)
class Allowed:
    """`files`: their paths without links, with each as it was written; `folders`: all that lie above one."""

    files: dict[str, str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.files)

    def reaches(self, real: str) -> bool:
        """Whether a path without links is such a file, or a folder above one."""
        return real in self.files or real in self.folders


NOTHING = Allowed()


def allow(paths: Iterable[Path]) -> Allowed:
    """The files named on the command line.  Raises UsageError for what is no file."""
    files: dict[str, str] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"--allow-secret {path}: it is not there", "name a file")
        if path.is_dir():
            raise UsageError(f"--allow-secret {path}: it is a folder", "name each file of it that is to be learned")
        files[os.path.realpath(path)] = str(path)
    folders = {str(above) for path in files for above in Path(path).parents}
    return Allowed(files, frozenset(folders))


@dataclass(slots=True)
class Watched:
    """What became of the files that were allowed: those let through by name, and what was decided of others."""

    allowed: Allowed = NOTHING
    let_through: dict[str, str] = field(default_factory=dict)
    decided: dict[str, Decision] = field(default_factory=dict)

    def see(self, root: str, decision: Decision) -> None:
        """Note what was decided about an allowed file, or about a folder above it; `root` is the source's."""
        whole = os.path.join(root, decision.name)
        if decision.is_folder and whole in self.allowed.folders:
            self.decided.update({path: decision for path in self.allowed.files if path.startswith(f"{whole}/")})
        real = whole if whole in self.allowed.files else os.path.realpath(whole)
        if real in self.allowed.files:
            self.decided[real] = decision

    def refuse_unused(self) -> None:
        """Raise UsageError for a file that was allowed in vain: a key that opens no door is a mistake."""
        for path, text in self.allowed.files.items():
            if path in self.let_through:
                continue
            decision = self.decided.get(path)
            if decision is None:
                raise UsageError(f"--allow-secret {text}: no source reaches it", "add it to `training.sources`")
            if decision.taken:
                raise UsageError(f"--allow-secret {text}: it is not secret and is read anyway", "leave the option out")
            hint = "the option lifts no other rule; `dlm show DOCUMENT --why PATH` names the one that decides"
            raise UsageError(f"--allow-secret {text}: it is not read all the same: {decision.rule}", hint)
