"""What another plugin needs to judge answers: the class `Judge` and the hook `dlm_preference_judges`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pluggy import HookspecMarker

hookspec = HookspecMarker("dlm")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that the model gave to a prompt of the document; `reference` is the document's own."""

    prompt: str
    answer: str
    reference: str


class Judge(ABC):
    """Says how good an answer is.  Chosen on the command line as `--judge NAME` or `--judge NAME:ARGUMENT`.

    Two answers become a pair when their scores differ by `threshold` at least.
    """

    name: ClassVar[str]
    help: ClassVar[str] = ""
    threshold: ClassVar[float] = 0.1

    def label(self, argument: str) -> str:
        """What the document says of who judged: a document travels, so no paths and no secrets of the command line."""
        return self.name

    @abstractmethod
    def scores(self, argument: str, candidates: Sequence[Candidate]) -> Iterator[float]:
        """A finite number for each candidate in order; more is better.

        Raises UsageError for an argument it does not understand, before the first score.  RunFailedError stops the
        mining, and nothing of it is kept.
        """


class JudgeSpec:
    """The hook of this plugin, opened through `dlm_hookspecs`."""

    @hookspec
    def dlm_preference_judges(self) -> Iterable[Judge]:
        """Ways to judge the answers that `dlm preference mine` samples."""
        return ()
