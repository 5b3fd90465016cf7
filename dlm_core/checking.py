"""What `dlm check` does: a document with everything that is wrong with it, before anything is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .api import (
    BaseModel,
    Document,
    DocumentError,
    PluginMissingError,
    Problem,
    Row,
    Section,
    Span,
    Trainer,
    UsageError,
)
from .api.errors import UntrustedError
from .document import collect_rows, inspect_document, read_bytes, split_rows
from .document.rows import PLUGIN_FAILED, with_their_files
from .document.settings import training_settings
from .media.checks import media_problems
from .planning.bases import completed, find_base
from .planning.phases import Assigned, assign_rows, order_phases, rows_beside
from .plugins import Hint, Plugins
from .sources.allowed import NOTHING, Allowed
from .sources.decisions import Decision, Tally
from .sources.gather import Gathering
from .sources.weights import weigh

#: How the codes of problems in the frontmatter begin: the sections are as they should be.
_FRONTMATTER = "DLM01"


@dataclass(frozen=True, slots=True)
class Checked:
    """A document without errors, its rows by side, its base, which phase takes which, and what its sources gave.

    `beside` are the phases that train something beside the adapters.
    """

    doc: Document
    base: BaseModel
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    exam_only: tuple[Row, ...]
    assigned: tuple[Assigned, ...]
    beside: tuple[Trainer, ...]
    tally: Tally

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.train, *self.validation, *self.exam_only)


def check(
    path: Path, plugins: Plugins, see: Callable[[Decision], None] | None = None, allowed: Allowed = NOTHING
) -> Checked:
    """Parse, gather and build rows, find the base, ask the trainers.  `see` hears of each file of a source.

    Raises DocumentError with all that is wrong, UntrustedError for sources that may not be read yet, and UsageError
    for a secret file that was `allowed` in vain.
    """
    return check_bytes(read_bytes(path), path, plugins, see, allowed)


def check_bytes(
    data: bytes,
    path: Path,
    plugins: Plugins,
    see: Callable[[Decision], None] | None = None,
    allowed: Allowed = NOTHING,
) -> Checked:
    """The same for the bytes of a document that are, or are to be, in the file at `path`."""
    doc, problems = inspect_document(data, path, plugins)
    if any(problem.severity == "error" for problem in problems):
        raise DocumentError(path, [*problems, *_further_problems(doc, problems, plugins, allowed)])
    doc = replace(doc, warnings=tuple(problems))
    problems = []
    gathering = Gathering(doc, plugins, see, allowed=allowed)
    try:
        rows, wrong_rows = collect_rows(doc, gathering, plugins)
        problems += gathering.warnings
    except DocumentError as error:
        problems += error.problems
        rows, wrong_rows = collect_rows(doc, doc.sections, plugins)
    problems += wrong_rows
    seed = training_settings(doc).seed
    train, validation, exam_only = split_rows(rows, seed)
    if gathering.weights:
        train = tuple(weigh(train, gathering.weights, seed))
    phases = order_phases(plugins.trainers.values(), doc, train)
    assigned, orphans = assign_rows(phases, train, validation)
    beside = rows_beside(phases, train, validation)
    problems += _with_hint(orphans, plugins.missing("trainer"))
    base: BaseModel | None = None
    try:
        base = find_base(doc, plugins)
        problems += media_problems(doc, rows, base, plugins)
        problems += _phase_problems((*assigned, *beside), doc, base)
    except DocumentError as error:
        problems += error.problems
    if not train and not any(problem.severity == "error" for problem in problems):
        problems.append(_nothing_to_train(rows))
    if base is None or any(problem.severity == "error" for problem in problems):
        raise DocumentError(doc.path, (*doc.warnings, *problems))
    doc = replace(doc, warnings=(*doc.warnings, *problems))
    trainers = tuple(trainer for trainer, _, _ in beside)
    if any(row.media for row in rows):
        base = completed(base, plugins)
    return Checked(doc, base, train, validation, exam_only, tuple(assigned), trainers, gathering.tally)


def _further_problems(doc: Document, found: list[Problem], plugins: Plugins, allowed: Allowed) -> Iterator[Problem]:
    """What is wrong besides, as far as it can be told of a document with errors: in rows, sources, base and settings.

    What would only follow from an error already found is left out.
    """
    sections: Iterable[Section] = doc.sections
    if doc.config:
        gathering = Gathering(doc, plugins, allowed=allowed)
        try:
            sections = tuple(gathering)
            yield from gathering.warnings
        except DocumentError as error:
            yield from error.problems
        except (UntrustedError, UsageError):
            pass  # told once the document is right
    rows: list[Row] = []
    for section in with_their_files(sections, found):
        made, wrong = _rows_of(section, doc, plugins)
        rows += made
        yield from wrong
    if not doc.base_model:
        return
    try:
        base = find_base(doc, plugins)
    except DocumentError as error:
        yield from error.problems
        return
    with suppress(PluginMissingError):
        yield from media_problems(doc, rows, base, plugins)
    if all(problem.code.startswith(_FRONTMATTER) or problem.severity == "warning" for problem in found):
        phases = order_phases(plugins.trainers.values(), doc, rows)
        asked = (*assign_rows(phases, rows, ())[0], *rows_beside(phases, rows, ()))
        yield from _phase_problems(asked, doc, base)


def _phase_problems(asked: Iterable[Assigned], doc: Document, base: BaseModel) -> list[Problem]:
    """What phases cannot do; what several of them find is told once."""
    found: list[Problem] = []
    for trainer, rows, _ in asked:
        found += [problem for problem in trainer.problems(doc, rows, base) if problem not in found]
    return found


def _rows_of(section: Section, doc: Document, plugins: Plugins) -> tuple[list[Row], list[Problem]]:
    try:
        rows, problems = collect_rows(doc, [section], plugins)
    except Exception:
        return [], []
    # A section type may need what this document's broken frontmatter does not give.
    return rows, [problem for problem in problems if problem.code != PLUGIN_FAILED]


def _nothing_to_train(rows: list[Row]) -> Problem:
    message = "every question is only for the exam" if rows else "there is nothing to train on"
    where = min((row.span for row in rows), default=Span(1))
    return Problem(where, message, "write some prose, or an `::instruction::` section", code="DLM0407")


def _with_hint(problems: list[Problem], hint: Hint | None) -> list[Problem]:
    if hint is None:
        return problems
    return [replace(problem, hint=problem.hint or hint.text, code=hint.code) for problem in problems]
