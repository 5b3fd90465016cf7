"""Gather: the document's own sections, then those of the files its `training.sources` point at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..api import Document, DocumentError, Problem, Section, SourceReader, Span
from ..document.sections import section_id
from ..plugins import Plugins
from .globs import matches
from .text import HEAD
from .walk import walk


@dataclass(frozen=True, slots=True)
class Gathered:
    """All sections in order, and a warning for each file that was skipped."""

    sections: tuple[Section, ...]
    warnings: tuple[Problem, ...]


def gather(doc: Document, plugins: Plugins) -> Gathered:
    """Raises DocumentError for a source that is missing or leads out under `sources_policy: strict`."""
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
    root = home / Path(source["path"]).expanduser()
    if not root.exists():
        yield Problem(where, f"the source {source['path']} does not exist", f"looked for {root}", code="DLM0501")
        return
    strict = doc.config["training"]["sources_policy"] == "strict"
    count = 0
    for path in [root] if root.is_file() else walk(root):
        name = path.name if root.is_file() else path.relative_to(root).as_posix()
        if matches(name, source["exclude"]) or not (root.is_file() or matches(name, source["include"])):
            continue
        if strict and not path.resolve().is_relative_to(home.resolve()):
            message = f"{path} leads out of {home}, which `sources_policy: strict` forbids"
            yield Problem(where, message, "move it into the document's folder, or exclude it", code="DLM0502")
            continue
        if source["max_files"] and count >= source["max_files"]:
            yield Problem(where, f"more than max_files={source['max_files']} files", None, "warning", "DLM0503")
            return
        count += 1
        yield from _read_file(path, name, source["max_bytes_per_file"], where, plugins)


def _read_file(path: Path, name: str, most: int | None, where: Span, plugins: Plugins) -> Iterator[Section | Problem]:
    def skipped(why: str) -> Problem:
        return Problem(where, f"skipped {name}: {why}", None, "warning", "DLM0504")

    try:
        size = path.stat().st_size
        if most and size > most:
            yield skipped(f"{size} bytes, more than max_bytes_per_file={most}")
            return
        data = path.read_bytes()
        reader = _reader_for(path, data, plugins)
        if reader is None:
            yield skipped("no reader claims it")
            return
        for kind, content, attrs in reader.read(data, name):
            yield Section(kind, content, where, section_id(kind, content), None, attrs, where.line, (), name)
    except (OSError, ValueError) as error:
        yield skipped(str(error))


def _reader_for(path: Path, data: bytes, plugins: Plugins) -> SourceReader | None:
    readers = list(plugins.source_readers.values())
    by_suffix = [reader for reader in readers if path.suffix.lower() in reader.suffixes]
    by_content = [reader for reader in readers if reader.sniff(data[:HEAD])]
    return next(iter([*by_suffix, *by_content]), None)
