"""Which adapter of a version answers: one by name, a weighted sum of several, or what its router says."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .api import Message, OpenModel, Route, UsageError
from .routing import OnDuty, RoutedModel, on_duty
from .spelling import advice

if TYPE_CHECKING:
    from .api import Engine, LocatedBase, Mix, Row
    from .plugins import Plugins
    from .store import Version

#: The name of the adapter that a mix becomes.
MIX = "mix"

_HOW = "write `--adapter-mix NAME:WEIGHT,NAME:WEIGHT`, for instance `tone:1,facts:0.5`"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for: one adapter, a mix, or neither.

    Then the version's router answers, unless it is `off`, or else the first adapter.  `on` are routers asked for.
    """

    adapter: str | None = None
    mix: str | None = None
    off: frozenset[str] = frozenset()
    on: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.adapter is not None and self.mix is not None:
            raise UsageError("--adapter and --adapter-mix cannot both be given", "a mix of one is --adapter-mix NAME:1")
        if self.on and self.is_by_name:
            option = "--adapter" if self.adapter is not None else "--adapter-mix"
            raise UsageError(f"{option} says who answers, and so would --{min(self.on)}", "give one of them")

    @property
    def is_by_name(self) -> bool:
        """Whether the command line itself says who answers."""
        return self.adapter is not None or self.mix is not None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The adapter `name` in `folder`; `mix` is what it was made of, if it is a mix, and `members` which adapters.

    With a router `duty` each prompt has a mixture of its own, or `mix` is the one that stands for them all.
    """

    name: str
    folder: Path
    members: frozenset[str]
    mix: Mix | None = None
    duty: OnDuty | None = None

    def routed(self, model: OpenModel) -> OpenModel:
        """The model with these adapters, answering as chosen."""
        return RoutedModel(model, self.duty) if self.duty and not self.mix else model

    def own(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The rows that are for this adapter, or for a member of the mix, as rows for it alone."""
        return tuple(replace(row, adapters=(self.name,)) for row in rows if self.members & set(row.adapters))


@contextmanager
def choose(
    wanted: Wanted, version: Version, engine: Engine, base: LocatedBase, plugins: Plugins, fixed: bool = False
) -> Iterator[Chosen]:
    """The adapter asked for.  A mix is made here and removed afterwards.

    With `fixed` a router's one mixture is made in place of those that it has for each prompt.
    Raises UsageError for an unknown name or weights that cannot be read, RunFailedError for adapters without a sum.
    """
    names: list[str] = version.manifest["adapters"]
    duty = find_duty(wanted, version, plugins)
    if duty and not fixed:
        yield Chosen(names[0], version.adapter, frozenset(names), duty=duty)
        return
    if wanted.mix is None and duty is None:
        name = pick(wanted.adapter, names, version.number)
        yield Chosen(name, version.adapter, frozenset([name]))
        return
    weights = duty.fixed().weights if duty else read_mix(wanted.mix or "", names)
    with tempfile.TemporaryDirectory(prefix="dlm-mix-") as place:
        mix = engine.mix(base, version.adapter, weights, MIX, Path(place))
        yield Chosen(MIX, Path(place), frozenset(weights), mix, duty)


def find_duty(wanted: Wanted, version: Version, plugins: Plugins) -> OnDuty | None:
    """The version's router, if it is to answer.  Raises UsageError for one that is asked for and not there."""
    duty = None if wanted.is_by_name else on_duty(version.adapter, wanted.off, plugins)
    for name in sorted(wanted.on - {duty.name if duty else ""}):
        raise UsageError(f"version {version.number} has no {name}", "train one with the document's own settings for it")
    return duty


def explain(wanted: Wanted, chosen: Chosen, model: OpenModel, prompt: Sequence[Message]) -> tuple[str, Route]:
    """Who answers a prompt, each with its weight, and why."""
    if isinstance(model, RoutedModel):
        return model.duty.name, model.routes([prompt])[0]
    if chosen.mix:
        return MIX, Route(chosen.mix.weights, "--adapter-mix asks for it")
    why = "--adapter asks for it" if wanted.adapter else "the document's first adapter"
    if wanted.off and not wanted.adapter:
        why = f"{' and '.join(f'--{name} off' for name in sorted(wanted.off))}: {why}"
    return "adapter", Route({chosen.name: 1.0}, why)


def pick(name: str | None, names: Sequence[str], version: int) -> str:
    """The adapter named, or the document's first.  Raises UsageError for an unknown name."""
    if name is None:
        return names[0]
    if name not in names:
        raise UsageError(f"no adapter {name!r} in version {version}", advice(name, names, "there are"))
    return name


def read_mix(text: str, names: Sequence[str]) -> Mapping[str, float]:
    """`NAME:WEIGHT,…` as weights by name.  Raises UsageError for anything else, with what was probably meant."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, colon, number = (piece.strip() for piece in part.partition(":"))
        if not name or not colon:
            raise UsageError(f"--adapter-mix cannot read {part.strip()!r}", _HOW)
        if name not in names:
            raise UsageError(f"--adapter-mix: no adapter {name!r}", advice(name, names, "there are"))
        if name in weights:
            raise UsageError(f"--adapter-mix names {name} twice", "give it one weight")
        weights[name] = _weight(name, number)
    return weights


def _weight(name: str, number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise UsageError(f"--adapter-mix: the weight of {name} is {number!r}, which is no number", _HOW)
    return weight
