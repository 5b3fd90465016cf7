"""Everything the page about a run is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..api import AdapterSettings, Document, LocatedBase, Plan, Problem, TrainingSettings
from ..exam import Exam
from ..planning.reality import Reality

State = Literal["committed", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Point:
    """One optimizer step.  Losses are nats a token; None is what the trainer did not tell."""

    step: int
    loss: float | None
    learning_rate: float | None = None
    tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Curve:
    """One adapter's training in one phase: its steps, its validation losses by step, and what it measured when."""

    phase: str
    adapter: str
    points: dict[int, Point] = field(default_factory=dict)
    validation: dict[int, float] = field(default_factory=dict)
    measured: dict[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return curve_title(self.phase, self.adapter)


def curve_title(phase: str, adapter: str) -> str:
    """How a curve is called, in the runs database too.  What a phase makes beside adapters has its own name."""
    return phase if adapter in ("default", phase) else f"{phase} of {adapter}"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished, failed or interrupted run.

    `text` is the document as it was trained, `sides` says for each section id whether its rows were `trained`, held
    out for `validation` or only asked (`exam`).  `compared` is the exam beside that of the version before, as JSON.
    `problem` and `hint` are why a run did not finish.
    """

    state: State
    run: int
    version: int | None
    started: str
    finished: str
    doc: Document
    text: str
    sides: Mapping[str, str]
    base: LocatedBase
    adapters: Mapping[str, AdapterSettings]
    settings: TrainingSettings
    plan: Plan
    curves: Sequence[Curve]
    reality: Reality
    versions: Mapping[str, str]
    exam: Exam | None = None
    compared: Mapping[str, Any] | None = None
    warnings: Sequence[Problem] = ()
    messages: Sequence[str] = ()
    problem: str = ""
    hint: str = ""
