"""What is wrong with the media of a document: kinds nobody provides or the base does not take, files of no use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..api import BaseModel, DlmError, Document, Media, Problem, Row
from ..document.rows import PLUGIN_FAILED
from ..planning.bases import completed
from .reader import MediaReader, media_reader

if TYPE_CHECKING:
    from ..cache import RowCache
    from ..plugins import Plugins


def media_problems(doc: Document, rows: Iterable[Row], base: BaseModel | None, plugins: Plugins) -> Iterator[Problem]:
    """Errors and warnings at the sections they are of; each file is opened once, however many rows show it.

    Without a base files are looked at as their kind alone wants them.
    """
    carrying = [(row, part) for row in rows for part in row.media]
    if not carrying:
        return
    accepts = completed(base, plugins).accepts if base else {}
    reader = media_reader(plugins, accepts, _cache(doc))
    places = {section.id: section.span for section in doc.sections}
    told: dict[tuple[str, str, str], list[Problem]] = {}
    refused: set[str] = set()
    for row, part in carrying:
        row = replace(row, span=places.get(row.section_id, row.span))
        if part.kind not in plugins.media_kinds:
            yield _unknown_kind(row, part, plugins)
        elif base is not None and part.kind not in accepts:
            if part.kind not in refused:
                yield _not_accepted(row, part, base, plugins)
            refused.add(part.kind)
        else:
            key = (part.kind, part.sha256, repr(sorted(part.options.items())))
            if key not in told:
                told[key] = list(_file_problems(row, part, reader, plugins))
            yield from (replace(problem, span=row.span) for problem in told[key])


def _cache(doc: Document) -> RowCache | None:
    from ..cache import cache_of  # SQLite, which a check of a document without media does not need

    return cache_of(doc.config, lambda message: None) if doc.config else None


def _unknown_kind(row: Row, part: Media, plugins: Plugins) -> Problem:
    hint = plugins.hint("media kind", part.kind)
    message = f"media of the kind {part.kind} needs a plugin that is not at work here"
    return Problem(row.span, message, hint.text if hint else None, code=hint.code if hint else "DLM0216")


def _not_accepted(row: Row, part: Media, base: BaseModel, plugins: Plugins) -> Problem:
    can = [key for key, other in plugins.base_models.items() if part.kind in other.accepts]
    return Problem(
        row.span,
        f"the base {base.key} takes no {part.kind}",
        f"set `base_model` to one that does; bases that can: {', '.join(can) or 'none here'}",
        code="DLM0217",
    )


def _file_problems(row: Row, part: Media, reader: MediaReader, plugins: Plugins) -> Iterator[Problem]:
    kind = plugins.media_kinds[part.kind]
    name = Path(part.path).name
    try:
        notes = [*kind.probe(Path(part.path)).get("notes", ()), *reader.facts(part).get("notes", ())]
    except (ValueError, OSError, DlmError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        why = why.removeprefix(f"{part.path} cannot be used: ")
        yield Problem(row.span, f"{name} cannot be used: {why}", getattr(error, "hint", None), code="DLM0218")
        return
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        message = (
            f"the media kind `{part.kind}` of plugin {plugins.media_kinds.owner(part.kind).label} failed on {name}"
        )
        yield Problem(row.span, f"{message}: {what}", "report this to the plugin's author", code=PLUGIN_FAILED)
        return
    for note in notes:
        yield Problem(row.span, f"{name}: {note}", None, "warning", "DLM0219")
