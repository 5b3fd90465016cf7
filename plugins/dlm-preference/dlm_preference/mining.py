"""Find pairs: sample answers to the document's questions, have them judged, take the best and the worst."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import TYPE_CHECKING

from dlm_core.api import Row, RunFailedError, Sampling

from .judge import Candidate, Judge
from .mined import MinedPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlm_core.api import OpenModel

#: Answers as alike as this are the same answer in other words for telling better from worse.
SAME = 0.95


@dataclass(frozen=True, slots=True)
class Answered:
    """A row of the document with one of the answers that the model gave to its question."""

    row: Row
    answer: str

    @property
    def candidate(self) -> Candidate:
        return Candidate(_prompt(self.row), self.answer, self.row.answer or "")


def questions(rows: Sequence[Row], adapter: str | None) -> list[Row]:
    """The rows that can be mined: one question with one answer, for `adapter`, or for any without one.

    Rows of several turns are left out, since a pair has one prompt.
    """
    asked = [row for row in rows if [message.role for message in row.messages] == ["user", "assistant"]]
    return list({row.key: row for row in asked if adapter in (None, row.adapters[0])}.values())


def sample(
    model: OpenModel,
    rows: Sequence[Row],
    sampling: Sampling,
    count: int,
    tell: Callable[[int], None] = lambda done: None,
) -> list[Answered]:
    """`count` answers to each row's question from its adapter, repeated and empty ones left out, row by row.

    The seeds are `sampling.seed` and those after it, so that an answer does not depend on how many are sampled.
    """
    found: list[list[str]] = [[] for _ in rows]
    for adapter in dict.fromkeys(row.adapters[0] for row in rows):
        places = [place for place, row in enumerate(rows) if row.adapters[0] == adapter]
        prompts = [rows[place].question or () for place in places]
        for number in range(count):
            one = Sampling(sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.seed + number)
            for place, text in zip(places, model.generate(prompts, one, adapter), strict=True):
                found[place].append(text.strip())
            tell(len(places))
    return [
        Answered(row, text) for row, texts in zip(rows, found, strict=True) for text in dict.fromkeys(texts) if text
    ]


def judged(judge: Judge, argument: str, answers: Sequence[Answered]) -> list[float]:
    """A score for each answer.  Raises RunFailedError when that is not what the judge gives."""
    scores = list(judge.scores(argument, [one.candidate for one in answers]))
    if len(scores) != len(answers) or not all(isinstance(one, int | float) and math.isfinite(one) for one in scores):
        raise RunFailedError(f"the judge {judge.name} did not give one finite score for each of {len(answers)} answers")
    return [float(score) for score in scores]


def pairs(answers: Sequence[Answered], scores: Sequence[float], threshold: float) -> Iterator[MinedPair]:
    """For each row its best answer with its worst, where their scores are `threshold` apart and their texts differ."""
    both = zip(answers, scores, strict=True)
    for _, group in groupby(both, key=lambda one: one[0].row.key):
        ordered = sorted(group, key=lambda one: -one[1])
        (best, high), (worst, low) = ordered[0], ordered[-1]
        alike = SequenceMatcher(None, best.answer, worst.answer, autojunk=False).ratio()
        if high - low >= threshold and high > low and alike < SAME:
            row = best.row
            yield MinedPair(
                row.section_id, row.span.line, row.adapters[0], _prompt(row), best.answer, worst.answer, high, low
            )


def _prompt(row: Row) -> str:
    return row.messages[0].text
