"""Errors a person is meant to read: one line that says what and why, one that says what to do, and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .document import Document, Problem


class DlmError(Exception):
    """Base of every expected failure; the command line prints it without a traceback."""

    exit_code: int = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class RunFailedError(DlmError):
    """A job started and did not finish: NaN, a full disk, a trainer's own failure."""


class DivergedError(RunFailedError):
    """A loss or gradient became NaN or infinite: going on from the last checkpoint would only repeat it."""


class CannotMixError(RunFailedError):
    """Adapters whose weighted sum is no adapter, such as those of kind dora."""


class UsageError(DlmError):
    exit_code = 2


#: A problem's code, or how it begins -> the exit code of a document with no other errors.
EXIT_CODES = {"DLM03": 5, "DLM0131": 6, "DLM0132": 6, "DLM0406": 4}


class DocumentError(DlmError):
    """Every problem found in one pass over a document, in the order of their positions.

    The exit code is 3, unless every error is of one other kind: see `EXIT_CODES`.
    """

    exit_code = 3

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path, self.problems = path, tuple(sorted(problems, key=lambda p: p.span))
        super().__init__("\n".join(p.render(path) for p in self.problems))
        errors = [problem for problem in self.problems if problem.severity == "error"]
        exits = {EXIT_CODES.get(problem.code[:5], EXIT_CODES.get(problem.code, 3)) for problem in errors}
        if len(exits) == 1:
            self.exit_code = exits.pop()


class UntrustedError(DlmError):
    """A document's sources, `outside`, lie outside its folder, and its owner has not said that they may be read."""

    exit_code = 3

    def __init__(self, doc: Document, outside: Sequence[str]) -> None:
        import shlex

        listed = ", ".join(outside[:3]) + (f" and {len(outside) - 3} more" if len(outside) > 3 else "")
        super().__init__(
            f"{doc.path} would read files outside its folder: {listed}",
            f"look at its `training.sources`; if they may be read: `dlm trust {shlex.quote(str(doc.path))}`",
        )
        self.doc, self.outside = doc, tuple(outside)


class DoesNotFitError(DlmError):
    """The plan asks for more than this machine has."""

    exit_code = 4


class PluginMissingError(DlmError):
    """A plugin or a package that the document or the command needs is missing, disabled, broken or claimed twice."""

    exit_code = 5


class BaseMissingError(DlmError):
    """The base model is not on this machine and cannot be fetched, or its licence was not accepted."""

    exit_code = 6


class ExportFailedError(DlmError):
    """An export did not pass its own check; nothing of it was kept."""

    exit_code = 7


class NotLearnedError(DlmError):
    """Training finished, but the exam says the document was not learned; `exam` is that exam."""

    exit_code = 8

    def __init__(self, message: str, hint: str | None = None, *, exam: Any = None) -> None:
        super().__init__(message, hint)
        self.exam = exam


class InterruptedRunError(DlmError):
    """The run was stopped after a whole optimizer step, number `step`, and its checkpoint is saved."""

    exit_code = 130

    def __init__(self, message: str, hint: str | None = None, *, step: int = 0) -> None:
        super().__init__(message, hint)
        self.step = step
