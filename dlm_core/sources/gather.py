"""Gather: the document's own sections, then those of the files its `training.sources` point at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..api import Document, DocumentError, Problem, Section, SourceReader, Span
from ..document.sections import section_id
from ..plugins import Plugins
from .globs import matches
from .secret import is_private_key, is_secret
from .text import HEAD
from .walk import Found, reason, walk


@dataclass(frozen=True, slots=True)
class Gathered:
    """All sections in order, and a warning for each file that was skipped."""

    sections: tuple[Section, ...]
    warnings: tuple[Problem, ...]


def gather(doc: Document, plugins: Plugins) -> Gathered:
    """Raises DocumentError for a source that is missing, secret or unusable, or leads out under a strict policy."""
    sections, warnings, errors = list(doc.sections), list[Problem](), list[Problem]()
    for index, source in enumerate(doc.config["training"]["sources"] or ()):
        where = doc.where(f"training.sources.{index}.path")
        for found in _read_source(doc, source, where, plugins):
            if isinstance(found, Section):
                sections.append(found)
            elif found.severity == "error":
                errors.append(found)
            else:
                warnings.append(found)
    if errors:
        raise DocumentError(doc.path, errors)
    return Gathered(tuple(sections), tuple(warnings))


def _read_source(
    doc: Document, source: Mapping[str, Any], where: Span, plugins: Plugins
) -> Iterator[Section | Problem]:
    home = doc.path.absolute().parent
    home = home.parent if home.name == ".dlm" else home
    root = _find_root(home, source["path"], where)
    if isinstance(root, Problem):
        yield root
        return
    named = root.is_file()
    strict = doc.config["training"]["sources_policy"] == "strict"
    count = 0
    for found in [Found(root)] if named else walk(root):
        path, name = found.path, root.name if named else found.path.relative_to(root).as_posix()
        if path == root and found.why:
            yield _unusable(where, source["path"], found.why)
        elif not _wanted(found, name, source, named):
            continue
        elif found.why:
            yield _skipped(where, name, found.why)
        elif _real(path) == _real(doc.path):
            # Its settings are no text to learn, and its `!exam` answers must not be.
            if named:
                yield _skipped(where, name, "the document itself")
        elif strict and not _real(path).is_relative_to(_real(home)):
            message = f"{path} leads out of {home}, which `sources_policy: strict` forbids"
            yield Problem(where, message, "move it into the document's folder, or exclude it", code="DLM0502")
        elif source["max_files"] and count >= source["max_files"]:
            yield Problem(where, f"more than max_files={source['max_files']} files", None, "warning", "DLM0503")
            return
        else:
            count += 1
            yield from _read_file(path, name, source["max_bytes_per_file"], where, plugins, named)


def _find_root(home: Path, text: str, where: Span) -> Path | Problem:
    """The file or folder that a source names, a folder without links on the way; or what is wrong with it."""
    try:
        root = home / Path(text).expanduser()
        if is_secret(root):
            return _secret(where, text)
        kind = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Problem(where, f"the source {text} does not exist", f"looked for {root}", code="DLM0501")
    except (OSError, ValueError, RuntimeError) as error:
        # RuntimeError is what `~` of an unknown user and, before Python 3.13, a circle of links give.
        return _unusable(where, text, reason(error))
    if stat.S_ISDIR(kind):
        return _real(root)
    return root if stat.S_ISREG(kind) else _unusable(where, text, "it is neither a file nor a folder")


def _wanted(found: Found, name: str, source: Mapping[str, Any], named: bool) -> bool:
    if matches(name, source["exclude"]) or (found.is_folder and matches(f"{name}/", source["exclude"])):
        return False
    return named or found.is_folder or matches(name, source["include"])


def _read_file(
    path: Path, name: str, most: int | None, where: Span, plugins: Plugins, named: bool
) -> Iterator[Section | Problem]:
    try:
        data = _read_bytes(path, most)
        if is_private_key(data[:HEAD]):
            yield _secret(where, name) if named else _skipped(where, name, "secret, a private key")
            return
        reader = _reader_for(path, data, plugins)
        if reader is None:
            yield _skipped(where, name, "no reader claims it")
            return
        for kind, content, attrs in reader.read(data, name):
            yield Section(kind, content, where, section_id(kind, content), None, attrs, where.line, (), name)
    except OSError as error:
        yield _unusable(where, name, reason(error)) if named else _skipped(where, name, reason(error))
    except ValueError as error:
        yield _skipped(where, name, str(error))


def _read_bytes(path: Path, most: int | None) -> bytes:
    """Raises OSError, or ValueError for what is too large or, since it was listed, no regular file any more."""
    # A pipe that took the file's place would otherwise be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("not a regular file")
        if most and state.st_size > most:
            raise ValueError(f"{state.st_size} bytes, more than max_bytes_per_file={most}")
        return file.read()


def _reader_for(path: Path, data: bytes, plugins: Plugins) -> SourceReader | None:
    readers = list(plugins.source_readers.values())
    by_suffix = [reader for reader in readers if path.suffix.lower() in reader.suffixes]
    by_content = [reader for reader in readers if reader.sniff(data[:HEAD])]
    return next(iter([*by_suffix, *by_content]), None)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _skipped(where: Span, name: str, why: str) -> Problem:
    return Problem(where, f"skipped {name}: {why}", None, "warning", "DLM0504")


def _secret(where: Span, name: str) -> Problem:
    hint = "keys, tokens and what a system keeps private are no sources; name another file or folder"
    return Problem(where, f"the source {name} is secret and never read", hint, code="DLM0505")


def _unusable(where: Span, name: str, why: str) -> Problem:
    return Problem(where, f"the source {name} cannot be read: {why}", None, code="DLM0506")
