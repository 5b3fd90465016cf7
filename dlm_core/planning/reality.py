"""What a run took beside what its plan said, and how fast this machine turned out to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..api import Hardware, LocatedBase, Plan


@dataclass(frozen=True, slots=True)
class Compared:
    """A forecast and what came of it; None is what nobody measured."""

    planned: float
    real: float | None


@dataclass(frozen=True, slots=True)
class Reality:
    """Forecast beside reality.

    `rows` counts a row once for each adapter that it trains, `tokens` every pass over it, `steps` are optimizer steps,
    `memory` is the peak in bytes, `seconds` go from the first import to the trained adapter.
    `in_steps` are the seconds that optimizer steps took.
    """

    rows: Compared
    tokens: Compared
    steps: Compared
    memory: Compared
    seconds: Compared
    in_steps: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reality:
        compared = {name: Compared(**item) for name, item in value.items() if isinstance(item, Mapping)}
        return cls(**compared, in_steps=value["in_steps"])


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one run went: seconds of its steps over those that the formula gives, and seconds outside of steps and
    of what the formula has for passes without learning.

    `where` names the run.  A later forecast for the same machine, base and precision takes both from here.
    """

    machine: str
    base: str
    dtype: str
    factor: float
    outside: float
    where: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


#: Steps shorter than this together say nothing about the speed of a machine.
_LEAST_SECONDS = 0.2


def machine_name(hardware: Hardware) -> str:
    """What two runs must have in common for the speed of one to say something about the other."""
    return f"{hardware.backend} {hardware.cores} × {hardware.name}"


def measured_speed(plan: Plan, base: LocatedBase, reality: Reality) -> Speed | None:
    """The speed that a finished run showed; None when it took no whole course of steps worth measuring."""
    formula = plan.details.get("step_seconds", 0.0)
    done = reality.steps.real == reality.steps.planned
    if not done or not formula or reality.seconds.real is None or reality.in_steps < _LEAST_SECONDS:
        return None
    factor = reality.in_steps / formula
    outside = max(0.0, reality.seconds.real - reality.in_steps - factor * plan.details.get("pass_seconds", 0.0))
    return Speed(machine_name(plan.hardware), base.sha256, plan.precision.dtype, factor, outside)
