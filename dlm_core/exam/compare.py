"""What became of the version before: which of its answers and sections were kept, and what was new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .result import Answer, Exam, SectionResult

#: A loss below this, in nats a token, counts as this: what is learned so well cannot be told apart by it.
SETTLED = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """A mean loss with the version before and with this one, in nats a token; None where nothing is measured."""

    before: float | None
    after: float | None

    def rise(self, least: float = 0.0) -> float:
        """By what share the loss rose, 0 when it fell; losses below `least` count as that."""
        if self.before is None or self.after is None:
            return 0.0
        before, after = max(self.before, least), max(self.after, least)
        return max(0.0, after / before - 1) if before else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """An exam beside that of the version before.

    `had` old questions were answered exactly by that version, and `kept` of them still are; `lost` are the others.
    `new` questions, of new and changed rows, were asked, and `learned` of them are answered exactly.
    `old_loss` is over the sections that both versions trained, `new_loss` over the others, with the base in place of
    the version before; `neutral` is the loss on text that is not in the document.
    """

    version: int
    had: int
    kept: int
    new: int
    learned: int
    old_loss: Change
    new_loss: Change
    neutral: Change
    lost: tuple[Answer, ...] = field(default=())

    @property
    def score(self) -> int:
        """Old answers kept and new ones learned."""
        return self.kept + self.learned

    @property
    def forgetting(self) -> float:
        """The worst of three shares: answers lost, rise of the old sections' loss, rise of the neutral text's."""
        lost = 1 - self.kept / self.had if self.had else 0.0
        return max(lost, self.old_loss.rise(SETTLED), self.neutral.rise())

    def in_words(self) -> str:
        """What was kept and what was lost, in one line."""
        said = [f"{self.kept} of {self.had} old answers kept"] if self.had else []
        for name, change in (("old sections", self.old_loss), ("other text", self.neutral)):
            if change.before is not None and change.after is not None:
                said.append(f"loss of {name} {change.before:.2f} → {change.after:.2f}")
        return ", ".join(said)

    def to_json(self) -> dict[str, Any]:
        found = asdict(self)
        found["lost"] = [{**asdict(answer), "exact": answer.exact} for answer in self.lost]
        return {**found, "forgetting": self.forgetting}


def compare_exams(version: int, before: Exam, now: Exam) -> Comparison:
    """This exam beside `before`, that of a version: its questions by what they ask and expect."""
    exact = Counter(_asked(answer) for answer in _trained(before.answers) if answer.exact)
    known = Counter(_asked(answer) for answer in _trained(before.answers))
    had, fresh = [], []
    for answer in _trained(now.answers):
        mark = _asked(answer)
        if exact[mark]:
            exact[mark] -= 1
            had.append(answer)
        if known[mark]:
            known[mark] -= 1
        else:
            fresh.append(answer)
    then = {(one.section_id, one.adapter): one for one in before.sections if one.trained and one.measure == "loss"}
    measured = [one for one in now.sections if one.trained and one.measure == "loss"]
    old = [one for one in measured if (one.section_id, one.adapter) in then]
    new = [one for one in measured if (one.section_id, one.adapter) not in then]
    return Comparison(
        version=version,
        had=len(had),
        kept=sum(answer.exact for answer in had),
        new=len(fresh),
        learned=sum(answer.exact for answer in fresh),
        old_loss=Change(_mean(then[one.section_id, one.adapter] for one in old), _mean(old)),
        new_loss=Change(_mean_of([(one.before, one.tokens) for one in new]), _mean(new)),
        neutral=Change(before.neutral_after, now.neutral_after),
        lost=tuple(answer for answer in had if not answer.exact),
    )


def _trained(answers: Iterable[Answer]) -> Iterable[Answer]:
    return (answer for answer in answers if answer.side == "trained")


def _asked(answer: Answer) -> tuple[str, str, str]:
    return answer.adapter, answer.question, answer.expected


def _mean(sections: Iterable[SectionResult]) -> float | None:
    return _mean_of([(one.after, one.tokens) for one in sections])


def _mean_of(losses: Sequence[tuple[float, int]]) -> float | None:
    """The mean of losses weighted by their tokens; None of nothing."""
    tokens = sum(count for _, count in losses)
    return sum(loss * count for loss, count in losses) / tokens if tokens else None
