"""The rows of each phase that a run trains, with their sizes: all of them from the base, few from a version before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..api import Row, RowSize
from ..planning.phases import Assigned
from ..planning.plan import PhaseWork, measure_work
from .delta import identity
from .recall import Memory, chosen

Measure = Callable[[Sequence[Row]], tuple[RowSize, ...]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the rows of some phases, found again by the row itself."""

    by_row: dict[int, RowSize]

    @classmethod
    def of(cls, work: Sequence[PhaseWork]) -> Sizes:
        found: dict[int, RowSize] = {}
        for phase in work:
            found |= {id(row): size for row, size in zip(phase.rows, phase.sizes, strict=True)}
            found |= {id(row): size for row, size in zip(phase.validation, phase.validation_sizes, strict=True)}
        return cls(found)

    def __call__(self, rows: Sequence[Row]) -> tuple[RowSize, ...]:
        return tuple(self.by_row[id(row)] for row in rows)


def all_work(assigned: Sequence[Assigned], sizes: Measure) -> tuple[PhaseWork, ...]:
    """Every row of every phase."""
    return tuple(measure_work(assigned, sizes))


def work_of_run(memory: Memory, assigned: Sequence[Assigned], sizes: Sizes, measure: Measure) -> tuple[PhaseWork, ...]:
    """What the run of `memory` trains; a phase without any such row is left out.

    `sizes` knows the document's rows, `measure` takes the sizes of rows that it no longer has.
    """
    if not memory.warm:
        return all_work(assigned, sizes)
    found = []
    picked = iter(chosen(memory, [row for _, rows, _ in assigned for row in rows]))
    mine = [[(row, now) for row in rows if (now := next(picked))] for _, rows, _ in assigned]
    touched = {name for pairs in mine for _, now in pairs for name in now.adapters}
    for (trainer, _, held), pairs in zip(assigned, mine, strict=True):
        back = memory.restored_for(touched, trainer.consumes)
        if not pairs and not back:
            continue
        old = {identity(row): now for row, now in pairs} | back
        turns = {old[one].key: epochs for one, epochs in memory.turns_of.items() if one in old and memory.sampled}
        rows = (*(now for _, now in pairs), *back.values())
        row_sizes = (*sizes([row for row, _ in pairs]), *measure([*back.values()]))
        found.append(PhaseWork(trainer, rows, held, row_sizes, sizes(held), turns))
    return tuple(found)
