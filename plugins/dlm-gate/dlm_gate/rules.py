"""What a document asks for with `training.gate`, which of its rows teach that, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlm_core.api import Problem

if TYPE_CHECKING:
    from dlm_core.api import Document, Row

KEY = "training.gate"


def block(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """`training.gate` of a frontmatter as JSON values; None when no gate is asked for."""
    found: Mapping[str, Any] | None = (config.get("training") or {}).get("gate")
    return found if found and found["enabled"] else None


def adapters_of(config: Mapping[str, Any]) -> list[str]:
    """The named adapters, in the document's order."""
    return list((config.get("training") or {}).get("adapters") or ())


def teaches(row: Row) -> bool:
    """Whether a row is for one adapter alone: that one is then the answer to whose its prompt is."""
    return len(row.adapters) == 1


@dataclass(frozen=True, slots=True)
class Lessons:
    """How many prompts each adapter has, and how many it needs."""

    counts: Mapping[str, int]
    floor: int

    @property
    def short(self) -> list[str]:
        """The adapters that have too few."""
        return [name for name, count in self.counts.items() if count < self.floor]

    @property
    def reason(self) -> str:
        """Why nothing is learned; empty when the gate is trained."""
        if not self.short:
            return ""
        had = ", ".join(f"{name} has {self.counts[name]}" for name in self.short)
        return f"too few prompts to learn from: {had}, cold_start_floor is {self.floor}"

    @property
    def text(self) -> str:
        """`24 prompts: tone 12, facts 12`."""
        listed = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"{sum(self.counts.values())} prompts: {listed}"


def lessons(config: Mapping[str, Any], rows: Sequence[Row]) -> Lessons:
    """What the rows of one adapter alone have to teach."""
    asked = block(config)
    assert asked is not None  # the phase was wanted
    counts = Counter(row.adapters[0] for row in rows if teaches(row))
    return Lessons({name: counts[name] for name in adapters_of(config)}, asked["cold_start_floor"])


def problems(doc: Document) -> Iterator[Problem]:
    """A gate without a choice, or keys that do nothing."""
    if block(doc.config) is None:
        written = [name for name in ((doc.config.get("training") or {}).get("gate") or {}) if name != "enabled"]
        for name in written:
            if doc.wrote(f"{KEY}.{name}"):
                message = "this changes nothing: no gate is trained"
                hint = "set `enabled: true`, or take the block out"
                yield Problem(doc.where(f"{KEY}.{name}"), message, hint, "warning", "GATE0003")
                return
        return
    names = adapters_of(doc.config)
    if len(names) < 2:
        there = f"`{names[0]}` is the only one" if names else "there are none"
        yield Problem(
            doc.where(f"{KEY}.enabled"),
            f"a gate needs two or more named adapters to choose from; {there}",
            "name them in `training.adapters`, or take the gate out",
            code="GATE0001",
        )


def row_problems(doc: Document, rows: Sequence[Row]) -> Iterator[Problem]:
    """Rows from which no choice can be learned."""
    found = lessons(doc.config, rows)
    where = doc.where(f"{KEY}.enabled")
    taught = [name for name, count in found.counts.items() if count]
    if len(taught) < 2 <= len(found.counts):
        whose = f"only {taught[0]} has any" if taught else "none has any"
        message = f"the gate learns from sections of single adapters, and {whose}"
        yield Problem(where, message, "say whose a section is: `::instruction#NAME::`", code="GATE0002")
    elif found.reason:
        message = f"{found.reason}: until then all adapters weigh the same"
        hint = "write more sections for them, or lower `cold_start_floor`"
        yield Problem(where, message, hint, "warning", "GATE0004")
