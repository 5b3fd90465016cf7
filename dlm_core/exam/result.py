"""What an exam found.  Losses are nats a token; what is preferred is measured by the share of pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..routing import Routing

Verdict = Literal["well", "partly", "not", "worse"]
Side = Literal["trained", "validation", "exam"]
Measure = Literal["loss", "accuracy"]

#: The share of pairs that must be told apart for a section of preferences to be learned well.
WELL = 0.9


def verdict(before: float, after: float) -> Verdict:
    """well: the loss fell by 60 % or below 0.5; partly: by 20 %; worse: it rose; not: anything else."""
    if after > before:
        return "worse"
    fallen = (before - after) / before if before else 0.0
    if fallen >= 0.6 or after < 0.5:
        return "well"
    return "partly" if fallen >= 0.2 else "not"


def preference_verdict(before: float, after: float, margin_gain: float) -> Verdict:
    """well: at least nine pairs in ten are told apart; partly: a fifth more of them than before; worse: fewer, or as
    many with a smaller margin; not: anything else."""
    if after < before:
        return "worse"
    if after >= WELL:
        return "well"
    if after - before >= 0.2:
        return "partly"
    return "worse" if after == before and margin_gain < 0 else "not"


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of the document and what the model said."""

    line: int
    section_id: str
    index: int
    side: Side
    adapter: str
    question: str
    expected: str
    answer: str

    @property
    def exact(self) -> bool:
        return self.answer.strip() == self.expected.strip()


@dataclass(frozen=True, slots=True)
class SectionResult:
    """One section before and after: its loss over the tokens that training labels, or how it is preferred.

    With the measure `accuracy`, `before` and `after` are the share of its pairs whose chosen answer is likelier than
    the rejected one, with a half for each that is as likely, and the margins are by how many nats, in the mean.
    """

    section_id: str
    type: str
    line: int
    title: str
    adapter: str
    tokens: int
    before: float
    after: float
    trained: bool
    measure: Measure = "loss"
    margin_before: float | None = None
    margin_after: float | None = None

    @property
    def verdict(self) -> Verdict:
        if self.measure == "accuracy":
            return preference_verdict(self.before, self.after, self.margin_gain)
        return verdict(self.before, self.after)

    @property
    def margin_gain(self) -> float:
        return (self.margin_after or 0.0) - (self.margin_before or 0.0)

    @property
    def unchanged(self) -> bool:
        return self.before == self.after and self.margin_gain == 0

    @property
    def gained(self) -> float:
        """The share of what was to be learned that was: of the loss, or of the pairs that were not told apart."""
        if self.measure == "accuracy":
            return 1.0 if self.after >= 1 else max(0.0, (self.after - self.before) / (1 - self.before))
        return min(1.0, max(0.0, 1 - self.after / self.before)) if self.before else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}

    @property
    def texts(self) -> tuple[str, str]:
        """Before and after, for people."""
        if self.measure == "accuracy":
            return f"{self.before:.0%}", f"{self.after:.0%}"
        return f"{self.before:.2f}", f"{self.after:.2f}"


@dataclass(frozen=True, slots=True)
class BlankCheck:
    """How many questions about a kind of media were asked with a blank, got another answer, and still the right one."""

    kind: str
    asked: int
    changed: int
    exact: int

    @property
    def blind(self) -> bool:
        """Whether the files made no difference: the answers come from elsewhere."""
        return self.changed == 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "blind": self.blind}


@dataclass(frozen=True, slots=True)
class Exam:
    """All answers, all sections, and the loss on text that is not in the document.

    `routing` says how a router did, when one chose the adapters; `blanks` whether the files in it are looked at.
    """

    answers: tuple[Answer, ...]
    sections: tuple[SectionResult, ...]
    neutral_before: float
    neutral_after: float
    seconds: float = 0.0
    routing: Routing | None = None
    blanks: tuple[BlankCheck, ...] = ()

    def score(self, side: Side = "trained") -> tuple[int, int]:
        """Exact answers and questions asked on one side."""
        asked = [answer for answer in self.answers if answer.side == side]
        return sum(answer.exact for answer in asked), len(asked)

    @property
    def share(self) -> float:
        """The share of trained questions answered exactly; without any, the share of sections learned well."""
        exact, asked = self.score()
        if asked:
            return exact / asked
        trained = [section for section in self.sections if section.trained]
        return sum(section.verdict == "well" for section in trained) / len(trained) if trained else 0.0

    @property
    def unchanged(self) -> bool:
        """Whether the adapter made no difference to any section: it is as good as the base alone."""
        return bool(self.sections) and all(section.unchanged for section in self.sections)

    @property
    def least_learned(self) -> dict[str, SectionResult]:
        """Section id -> its result with the adapter that learned it least."""
        falling = sorted(self.sections, key=lambda section: -section.gained)
        return {section.section_id: section for section in falling}

    def to_json(self) -> dict[str, Any]:
        return {
            "answers": [{**asdict(answer), "exact": answer.exact} for answer in self.answers],
            "sections": [section.to_json() for section in self.sections],
            "neutral_before": self.neutral_before,
            "neutral_after": self.neutral_after,
            "seconds": self.seconds,
            **({"routing": self.routing.to_json()} if self.routing else {}),
            **({"blanks": [check.to_json() for check in self.blanks]} if self.blanks else {}),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Exam:
        def without(item: dict[str, Any], key: str) -> dict[str, Any]:
            return {name: inner for name, inner in item.items() if name != key}

        return cls(
            tuple(Answer(**without(answer, "exact")) for answer in value["answers"]),
            tuple(SectionResult(**without(section, "verdict")) for section in value["sections"]),
            value["neutral_before"],
            value["neutral_after"],
            value["seconds"],
            Routing(**value["routing"]) if value.get("routing") else None,
            tuple(BlankCheck(**without(check, "blind")) for check in value.get("blanks", ())),
        )
