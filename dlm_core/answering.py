"""Which adapter of a version answers: one by name, or a weighted sum of several."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .api import UsageError
from .spelling import advice

if TYPE_CHECKING:
    from .api import Engine, LocatedBase, Mix, Row
    from .store import Version

#: The name of the adapter that a mix becomes.
MIX = "mix"

_HOW = "write `--adapter-mix NAME:WEIGHT,NAME:WEIGHT`, for instance `tone:1,facts:0.5`"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for: nothing, so that the first adapter answers, or one of the two."""

    adapter: str | None = None
    mix: str | None = None

    def __post_init__(self) -> None:
        if self.adapter is not None and self.mix is not None:
            raise UsageError("--adapter and --adapter-mix cannot both be given", "a mix of one is --adapter-mix NAME:1")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The adapter `name` in `folder`; `mix` is what it was made of, if it is a mix, and `members` which adapters."""

    name: str
    folder: Path
    members: frozenset[str]
    mix: Mix | None = None

    def own(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The rows that are for this adapter, or for a member of the mix, as rows for it alone."""
        return tuple(replace(row, adapters=(self.name,)) for row in rows if self.members & set(row.adapters))


@contextmanager
def choose(wanted: Wanted, version: Version, engine: Engine, base: LocatedBase) -> Iterator[Chosen]:
    """The adapter asked for.  A mix is made here and removed afterwards.

    Raises UsageError for an unknown name or weights that cannot be read, RunFailedError for adapters without a sum.
    """
    names: list[str] = version.manifest["adapters"]
    if wanted.mix is None:
        name = pick(wanted.adapter, names, version.number)
        yield Chosen(name, version.adapter, frozenset([name]))
        return
    weights = read_mix(wanted.mix, names)
    with tempfile.TemporaryDirectory(prefix="dlm-mix-") as place:
        mix = engine.mix(base, version.adapter, weights, MIX, Path(place))
        yield Chosen(MIX, Path(place), frozenset(weights), mix)


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
