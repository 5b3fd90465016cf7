"""Wait until a document, or a file its sources take, is saved: for `dlm run --watch`."""

# Strings, not Path objects: this is run for every file of a tree.
# ruff: noqa: PTH116, PTH120

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .api import DlmError, RunFailedError, UsageError
from .plugins import Plugins
from .sources.allowed import Allowed

#: Milliseconds without another change after which a burst of them is over, and after which it is taken as it is.
QUIET, LONGEST = 150, 2000

#: Milliseconds between two looks at whether anything changed.
LOOK = 300

#: Files that say what a source takes.
_RULES = (".gitignore", ".dlm/ignore", ".dlm/training.yaml")

#: When it was last written, how long it is, and which file it is: an editor may put a new file in its place.
Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The document, the files its sources take and their rules, as they are; `folders` are those to watch."""

    document: str
    marks: Mapping[str, Mark]
    folders: frozenset[str]
    files: int = 0
    is_whole: bool = True

    def changed(self, now: Snapshot) -> list[str]:
        """The files that differ, in order; those of sources only where both know them."""
        both = self.is_whole and now.is_whole
        names = {*self.marks, *now.marks} if both else {self.document}
        found = sorted(name for name in names if self.marks.get(name) != now.marks.get(name))
        return found or ([] if self.is_whole == now.is_whole else [self.document])


def take_snapshot(document: Path, plugins: Plugins, allowed: Allowed) -> Snapshot:
    """How things stand now.  A document that cannot be read, or whose sources cannot, is watched alone."""
    from .document import read_document

    path = os.path.abspath(document)  # noqa: PTH100
    marks: dict[str, Mark] = {}
    folders = {os.path.dirname(path), os.path.dirname(os.path.realpath(path))}
    _mark(marks, path)
    try:
        doc = read_document(document, plugins)
        files = sum(_mark_sources(marks, folders, doc, plugins, allowed))
    except (DlmError, OSError):
        return Snapshot(path, marks, frozenset(folders), is_whole=False)
    return Snapshot(path, marks, frozenset(folders), files)


def _mark_sources(
    marks: dict[str, Mark], folders: set[str], doc: Any, plugins: Plugins, allowed: Allowed
) -> Iterator[int]:
    """Note every file that a source takes and every folder it looks into; one for each file."""
    from .sources.gather import Gathering

    def on_folder(folder: str) -> None:
        folders.add(folder)
        if os.path.isdir(f"{folder}/.dlm"):  # noqa: PTH112
            folders.add(f"{folder}/.dlm")
        for rules in _RULES:
            _mark(marks, f"{folder}/{rules}")

    gathering = Gathering(doc, plugins, allowed=allowed)
    for source in gathering.find_sources():
        if source.is_file:
            folders.add(os.path.dirname(source.root))
            yield _mark(marks, source.root)
            continue
        for file in gathering.walk(source, on_folder):
            yield _mark(marks, file.path)


def _mark(marks: dict[str, Mark], path: str) -> bool:
    try:
        state = os.stat(path)
    except OSError:
        return False
    marks[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return True


@dataclass
class Watch:
    """What is watched for one run: made before the run, so that saves meanwhile are not missed."""

    document: Path
    plugins: Plugins
    allowed: Allowed
    before: Snapshot
    changes: Generator[set[Any], None, None] = field(repr=False)

    def wait(self) -> list[str]:
        """Block until something is saved that a run would read; the files that changed, as paths to show."""
        while True:
            with _explained():
                some = next(self.changes)
            if not some or not self.document.is_file():
                continue
            if changed := self.before.changed(take_snapshot(self.document, self.plugins, self.allowed)):
                return [_shown(name) for name in changed]


@contextmanager
def watch(document: Path, plugins: Plugins, allowed: Allowed) -> Iterator[Watch]:
    """Begin to watch.  Raises UsageError without watchfiles, RunFailedError where the system watches no more."""
    try:
        import watchfiles
    except ImportError:
        raise UsageError("--watch needs watchfiles", 'install it: pip install "dlm-core[watch]"') from None
    folders: frozenset[str] = frozenset()
    snapshot = take_snapshot(document, plugins, allowed)
    changes: Generator[set[Any], None, None] | None = None
    while not snapshot.folders <= folders:  # a folder may have been made before it was watched
        if changes:
            changes.close()
        folders = snapshot.folders
        changes = watchfiles.watch(
            *sorted(folder for folder in folders if os.path.isdir(folder)),  # noqa: PTH112
            watch_filter=None,
            debounce=LONGEST,
            step=QUIET,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        )
        with _explained():
            next(changes)  # it begins with the first question
        snapshot = take_snapshot(document, plugins, allowed)
    assert changes is not None
    try:
        yield Watch(document, plugins, allowed, snapshot, changes)
    finally:
        changes.close()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        hint = "raise fs.inotify.max_user_watches, or look regularly instead: WATCHFILES_FORCE_POLLING=1"
        raise RunFailedError(f"the system does not watch these files: {error}", hint) from error


def _shown(path: str) -> str:
    """A path from here where it lies below, otherwise whole."""
    here = os.path.relpath(path)
    return path if here.startswith("..") else here
