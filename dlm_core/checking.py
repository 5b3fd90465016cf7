"""What `dlm check` does: a document with everything that is wrong with it, before anything is planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .api import BaseModel, Document, DocumentError, Problem, Row
from .document import collect_rows, read_document, split_rows
from .document.settings import training_settings
from .planning.bases import find_base
from .planning.plan import Assigned, assign_rows, order_phases
from .plugins import Hint, Plugins
from .sources.decisions import Decision, Tally
from .sources.gather import Gathering
from .sources.weights import weigh


@dataclass(frozen=True, slots=True)
class Checked:
    """A document without errors, its rows by side, its base, which phase takes which, and what its sources gave."""

    doc: Document
    base: BaseModel
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    exam_only: tuple[Row, ...]
    assigned: tuple[Assigned, ...]
    tally: Tally

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.train, *self.validation, *self.exam_only)


def check(path: Path, plugins: Plugins, see: Callable[[Decision], None] | None = None) -> Checked:
    """Parse, gather and build rows, find the base, ask the trainers.  `see` hears of each file of a source.

    Raises DocumentError with all that is wrong, and UntrustedError for sources that may not be read yet.
    """
    doc = read_document(path, plugins)
    problems: list[Problem] = []
    gathering = Gathering(doc, plugins, see)
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
    problems += _with_hint(orphans, plugins.missing("trainer"))
    base: BaseModel | None = None
    try:
        base = find_base(doc, plugins)
        problems += [problem for trainer, mine, _ in assigned for problem in trainer.problems(doc, mine, base)]
    except DocumentError as error:
        problems += error.problems
    if base is None or any(problem.severity == "error" for problem in problems):
        raise DocumentError(doc.path, (*doc.warnings, *problems))
    doc = replace(doc, warnings=(*doc.warnings, *problems))
    return Checked(doc, base, train, validation, exam_only, tuple(assigned), gathering.tally)


def _with_hint(problems: list[Problem], hint: Hint | None) -> list[Problem]:
    if hint is None:
        return problems
    return [replace(problem, hint=problem.hint or hint.text, code=hint.code) for problem in problems]
