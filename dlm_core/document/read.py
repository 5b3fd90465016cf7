"""Bytes to `Document`, or to every problem at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..api import ConfigBlock, Document, DocumentError, PluginMissingError, Problem, Section, UsageError
from .rows import PLUGIN_FAILED, collect_rows, with_their_files
from .sections import read_sections, routing_problems
from .text import decode, divide

if TYPE_CHECKING:
    from ..plugins import Plugins


def read_document(path: Path, plugins: Plugins) -> Document:
    """Read and check a document.

    Raises DocumentError with all of its problems, UsageError when the file cannot be read.
    """
    return parse_document(read_bytes(path), path, plugins)


def read_bytes(path: Path) -> bytes:
    """A document's bytes.  Raises UsageError when the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", "`dlm init NEW.dlm` makes a document"
        ) from error


def parse_document(data: bytes, path: Path, plugins: Plugins) -> Document:
    """The document in these bytes; `path` says where its relative paths start.  Raises DocumentError."""
    document, problems = inspect_document(data, path, plugins)
    if _has_error(problems):
        raise DocumentError(path, [*problems, *_row_problems(document, problems, plugins)])
    return replace(document, warnings=tuple(sorted(problems, key=lambda problem: problem.span)))


def inspect_document(data: bytes, path: Path, plugins: Plugins) -> tuple[Document, list[Problem]]:
    """What can be understood of a document, and what is wrong with it, apart from what is inside its sections.

    `config` is empty when nothing of the frontmatter was understood.  Raises DocumentError without a frontmatter.
    """
    text, problems = decode(data, path)
    parts = divide(text)
    if isinstance(parts, Problem):
        raise DocumentError(path, [*problems, parts])
    from .frontmatter import read_frontmatter

    front = read_frontmatter(parts.frontmatter, 2, parts.syntax, plugins)
    sections, found = read_sections(text, parts.body, parts.body_line, path, plugins)
    problems += [*front.problems, *found]
    if front.adapters is not None:
        problems += routing_problems(sections, front.adapters)
    document = Document(
        path=path,
        id=front.config.get("dlm_id", ""),
        base_model=front.config.get("base_model", ""),
        system_prompt=front.config.get("system_prompt"),
        frontmatter=front.model,
        config=front.config,
        sections=tuple(sections),
        spans=front.spans,
        sha256=hashlib.sha256(data).hexdigest(),
        views=front.views,
        values=front.values,
    )
    if not _has_error(problems):
        problems += _block_problems(document, front.blocks, plugins)
    return document, problems


def _has_error(problems: list[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _block_problems(document: Document, blocks: Mapping[str, ConfigBlock], plugins: Plugins) -> Iterator[Problem]:
    """What the rules of the plugins' blocks say about a document that is otherwise valid."""
    for name, block in blocks.items():
        try:
            found = list(block.check(document))
        except Exception as error:
            owner = plugins.config_blocks.owner(name).label
            message = f"the check of `{block.path}` of plugin {owner} failed: {type(error).__name__}: {error}"
            raise PluginMissingError(message, "report this to the plugin's author") from error
        yield from (replace(problem, code=problem.code or "DLM0116") for problem in found)


def _row_problems(document: Document, told: Sequence[Problem], plugins: Plugins) -> list[Problem]:
    """What is wrong inside the sections of a document that is refused anyway, so that all of it is told at once."""
    problems: list[Problem] = []
    for section in with_their_files(document.sections, told):
        problems += _problems_inside(section, document, plugins)
    return problems


def _problems_inside(section: Section, document: Document, plugins: Plugins) -> list[Problem]:
    try:
        found = collect_rows(document, [section], plugins)[1]
    except Exception:
        return []
    # A section type may need what this document's broken frontmatter does not give.
    return [problem for problem in found if problem.code != PLUGIN_FAILED]
