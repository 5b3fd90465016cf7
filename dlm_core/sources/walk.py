"""Walk a source's folder once, in a fixed order, pruning what no rule lets through."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..api import DocumentError, Problem
from . import builtin
from .allowed import NOTHING, Allowed
from .decisions import Decision, Rule, rule
from .globs import Globs, compile_globs
from .opening import MovedError, open_folder
from .scope import Scope
from .secret import is_secret_entry, is_secret_name

_RULE_FILES = frozenset([".gitignore", ".dlm", ".git"])
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class File(NamedTuple):
    """A file to read: its absolute path, its name from the root, and what holds where it lies.

    `folder` is a descriptor of the folder it lies in, open until the walk goes on; None for a link, and very deep.
    """

    path: str
    name: str
    is_link: bool
    scope: Scope
    folder: int | None = None


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look into."""

    path: str
    name: str
    scope: Scope
    is_secret: bool


#: Levels of folders kept open at a time; files of deeper ones are opened by their whole path.
DEEP = 100


@dataclass(slots=True)
class Walk:
    """Iterate over it for the files to read, sorted by the names on their paths.

    `see` hears of every file and folder that is left out, and `problem` of rule files that are broken and of what
    `strict` forbids.  `within` is the folder that files may not lead out of, or empty; `only` names the entries to
    look at, level by level.  Links to folders are not followed.  Of what is secret, `allowed` is let through; with
    `is_secret` all below the root is.  `on_folder` hears of every folder that is looked into.
    """

    root: str
    see: Callable[[Decision], None]
    problem: Callable[[Problem], None]
    include: Globs = field(default_factory=lambda: compile_globs(("**/*",)))
    exclude: Globs = field(default_factory=lambda: compile_globs(()))
    suffixes: tuple[str, ...] = builtin.SUFFIXES
    mounts: frozenset[str] = frozenset()
    on_mount: Callable[[str], None] = lambda path: None
    only: Sequence[str] = ()
    allowed: Allowed = NOTHING
    is_secret: bool = False
    on_folder: Callable[[str], None] = lambda path: None

    def __iter__(self) -> Iterator[File]:
        levels = [self._listing(_Folder(self.root, "", Scope(), self.is_secret), 0)]
        try:
            while levels:
                found = next(levels[-1], None)
                if found is None:
                    levels.pop()
                elif isinstance(found, File):
                    yield found
                else:
                    levels.append(self._listing(found, len(levels)))
        finally:
            for level in reversed(levels):
                level.close()

    def _listing(self, into: _Folder, depth: int) -> Generator[File | _Folder, None, None]:
        """The files to read in a folder and the folders to look into, in order."""
        descriptor = None
        folder, scope = into.path, into.scope
        try:
            descriptor = open_folder(folder)
            self.on_folder(folder)
            if depth > DEEP:
                os.close(descriptor)
                descriptor = None
            with os.scandir(folder if descriptor is None else descriptor) as found:
                entries = sorted(found, key=_name)
            names = frozenset([entry.name for entry in entries if entry.name in _RULE_FILES])
            if names:
                scope = scope.refine(folder, into.name, names)
            before, above = f"{into.name}/" if into.name else "", f"{folder.rstrip('/')}/"
            for entry in self._chosen(entries, depth):
                name = entry.name
                whole, path, is_folder = above + name, before + name, entry.is_dir(follow_symlinks=False)
                if (decided := self._decide(entry, whole, path, is_folder, scope, into.is_secret)) is not None:
                    self.see(decided)
                elif is_folder:
                    yield _Folder(whole, path, scope, bool(self.allowed) and is_secret_name(whole))
                else:
                    is_link = entry.is_symlink()
                    yield File(whole, path, is_link, scope, None if is_link else descriptor)
        except (OSError, MovedError) as error:
            self.see(Decision(into.name or ".", rule("file", reason(error)), True, True))
        except DocumentError as error:
            for problem in error.problems:
                self.problem(problem)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _chosen(self, entries: list[os.DirEntry[str]], depth: int) -> list[os.DirEntry[str]]:
        if depth < len(self.only):
            return [entry for entry in entries if entry.name == self.only[depth]]
        return entries

    def _decide(
        self, entry: os.DirEntry[str], whole: str, path: str, is_folder: bool, scope: Scope, is_secret: bool
    ) -> Decision | None:
        """Why this is left out, by the first rule that says so; None when it is not."""
        name = entry.name
        if self.exclude.patterns:
            find = self.exclude.find_folder if is_folder else self.exclude.find_file
            if (pattern := find(path)) is not None:
                return Decision(path, rule("exclude", pattern), is_folder)
        secret = is_secret or is_secret_entry(name, whole)
        if secret and not (self.allowed and self._is_allowed(entry, whole, is_folder)):
            return self._secret(path, is_folder, scope)
        made = name in builtin.FOLDERS if is_folder else name in builtin.FILES or name.endswith(self.suffixes)
        if name == ".dlm" or (made and scope.defaults):
            return Decision(path, _built_in(name, is_folder, self.suffixes), is_folder)
        if (scope.configs or scope.ignores) and (against := scope.excluded(name, path, is_folder)) is not None:
            return Decision(path, against, is_folder)
        if self.mounts and whole in self.mounts:
            self.on_mount(whole)
            return Decision(path, rule("file", "another file system is mounted there"), is_folder)
        if is_folder:
            return None
        if (missed := self._not_included(path, scope)) is not None:
            return Decision(path, missed)
        if not (name.isascii() and name.isprintable()) and _UNPRINTABLE.search(path):
            shown = path.encode("unicode_escape", "backslashreplace").decode()
            return Decision(shown, rule("file", "its name holds what cannot be printed"), False, True)
        return None if entry.is_file(follow_symlinks=False) else self._special(entry, whole, path, scope)

    def _is_allowed(self, entry: os.DirEntry[str], whole: str, is_folder: bool) -> bool:
        if is_folder:
            return whole in self.allowed.folders
        return (os.path.realpath(whole) if entry.is_symlink() else whole) in self.allowed.files

    def _secret(self, path: str, is_folder: bool, scope: Scope) -> Decision:
        warn = is_folder or self._not_included(path, scope) is None
        return Decision(path, rule("secret", "secret"), is_folder, warn)

    def _not_included(self, path: str, scope: Scope) -> Rule | None:
        near = scope.include() if scope.configs else None
        if near is not None:
            start, config = near
            assert config.include is not None
            found = config.include.matches(path[start:])
            return None if found else rule("include", ", ".join(config.include.patterns), config.file)
        if self.include.everything or self.include.matches(path):
            return None
        return rule("include", ", ".join(self.include.patterns))

    def _special(self, entry: os.DirEntry[str], whole: str, path: str, scope: Scope) -> Decision | None:
        """What is wrong with a link, or with what is neither a file nor a folder."""
        if entry.is_symlink():
            real = os.path.realpath(whole)
            if is_secret_name(real) and real not in self.allowed.files:
                return self._secret(path, False, scope)
        try:
            if entry.is_file():
                return None
            why = "a link to a folder, which is not followed" if entry.is_dir() else "not a regular file"
        except OSError as error:
            why = reason(error)
        return Decision(path, rule("file", why), False, True)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _built_in(name: str, is_folder: bool, suffixes: tuple[str, ...]) -> Rule:
    if is_folder:
        return rule("built-in", f"{name}/")
    if name in builtin.FILES or name == ".dlm":
        return rule("built-in", name)
    return rule("built-in", next(f"*{suffix}" for suffix in suffixes if name.endswith(suffix)))


def reason(error: Exception) -> str:
    """What the operating system, or else the error, says."""
    return (getattr(error, "strerror", None) or str(error)).lower()
