"""What will happen, before it happens: hardware, precision, sizes and the plan made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .document import Problem


@dataclass(frozen=True, slots=True)
class Hardware:
    """This machine, read from the system without importing torch.  Memory is in bytes."""

    backend: Literal["cuda", "rocm", "mps", "cpu"]
    name: str
    cores: int
    memory: int
    free_memory: int
    bf16: bool
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Precision:
    dtype: Literal["bf16", "fp16", "fp32"]
    quant: Literal["none", "nf4", "int8"]
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An automatic choice and why it was made; printed in the plan and stored with the run."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in one forward pass, and how many such passes make one optimizer step.

    With `positions`, a pass of several rows has no more than so many positions, padding included, and a step takes as
    many passes as that makes.
    """

    micro: int
    accumulate: int
    positions: int | None = None

    @property
    def rows(self) -> int:
        return self.micro * self.accumulate

    def passes(self, lengths: Sequence[int]) -> list[range]:
        """How the rows of one step, of these lengths, are divided into forward passes, in their order."""
        found, start, longest = [], 0, 0
        for at, length in enumerate(lengths):
            rows, longest = at - start + 1, max(longest, length)
            full = rows > self.micro or (self.positions is not None and rows > 1 and rows * longest > self.positions)
            if full:
                found.append(range(start, at))
                start, longest = at, length
        return [*found, range(start, len(lengths))] if lengths else []

    def most_positions(self, longest: int) -> int:
        """Positions of a pass that is full of rows of this length."""
        whole = self.micro * longest
        return whole if self.positions is None else min(whole, max(longest, self.positions))


@dataclass(frozen=True, slots=True)
class RowSize:
    """A row in tokens: all of them, those with a label, and how many pieces an over-long text is split into.

    A row that is read as several sequences, such as a pair of answers, has as `longest` the tokens of its longest one.
    """

    tokens: int
    labelled: int
    pieces: int = 1
    longest: int = 0

    @property
    def length(self) -> int:
        """Tokens of the longest sequence: what must fit."""
        return self.longest or self.tokens

    def positions(self, most: int) -> int:
        """How many positions of a batch the row takes when its sequences are as long as its longest, at most `most`."""
        sequences = -(-self.tokens // self.longest) if self.longest else 1
        return sequences * min(self.length, most)


@dataclass(frozen=True, slots=True)
class Token:
    """One token as training reads it.  `text` is what it stands for; bytes of a divided character are `<0xE6>`.

    `labelled`: the loss is taken on it.  `place` is where its characters come from: the number of the row's text
    (a message of a chat, else 0), first and last character, counted from 0; None for what template and tokenizer add.
    """

    id: int
    text: str
    labelled: bool
    place: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class TokenPiece:
    """One example that training makes of a row: its tokens, of which only the first `kept` are read."""

    tokens: tuple[Token, ...]
    kept: int


@dataclass(frozen=True, slots=True)
class RowTokens:
    """A row as training reads it.  A long text has several pieces; `note` says why there is none or less than all."""

    pieces: tuple[TokenPiece, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class PhaseNotes:
    """What a trainer has to say in the plan: choices and findings, memory in bytes by part, values for programs.

    `memory` is counted with everything else that has to fit; of several phases the largest of a part counts.
    `details` are JSON values, shown under the phase's name in the plan's `details`.  `passes` is how often the phase
    goes over its rows, those it only measures too, without learning from them: their time is added.
    """

    choices: tuple[Choice, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    passes: int = 0


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """One training phase: its rows and tokens in one epoch, its validation rows, optimizer steps and epochs.

    A phase beside those that train adapters has rows and steps and no epochs.
    """

    phase: str
    rows: int
    validation: int
    tokens: int
    labelled: int
    steps: int
    longest: int
    epochs: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Memory parts are in bytes and times in seconds.  `problems` says what is split, skipped or refused."""

    hardware: Hardware
    precision: Precision
    batch: Batch
    phases: tuple[PhasePlan, ...]
    memory: Mapping[str, int]
    seconds: float
    choices: tuple[Choice, ...] = ()
    problems: tuple[Problem, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)
