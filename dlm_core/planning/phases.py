"""Which phases a document wants, in which order, and which rows each of them takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

from ..api import Document, Problem, Row, Trainer

#: A phase with the rows it trains on and those it only measures.
Assigned = tuple[Trainer, tuple[Row, ...], tuple[Row, ...]]


def order_phases(trainers: Iterable[Trainer], doc: Document, rows: Sequence[Row]) -> list[Trainer]:
    """The wanted phases, each behind those it names in `after` and those that name it in `before`; else by name."""
    wanted = {trainer.phase: trainer for trainer in trainers if trainer.wanted(doc, rows)}
    sorter = TopologicalSorter({name: sorted(_ahead_of(wanted[name], wanted)) for name in sorted(wanted)})
    return [wanted[name] for name in sorter.static_order()]


def _ahead_of(trainer: Trainer, wanted: Mapping[str, Trainer]) -> set[str]:
    return {name for name, other in wanted.items() if name in trainer.after or trainer.phase in other.before}


def assign_rows(
    phases: Sequence[Trainer], train: Sequence[Row], validation: Sequence[Row]
) -> tuple[list[Assigned], list[Problem]]:
    """Give each phase that trains adapters the rows of kinds that it consumes and no other has taken over.

    Rows nobody takes are a problem at the first one's line.
    """
    work = []
    phases = [trainer for trainer in phases if not trainer.beside]
    claimed = {kind for trainer in phases for kind in trainer.takes_over}
    for trainer in phases:
        kinds = trainer.consumes - (claimed - trainer.takes_over)
        mine = tuple(row for row in train if row.kind in kinds)
        theirs = tuple(row for row in validation if row.kind in kinds)
        if mine:
            work.append((trainer, mine, theirs))
    taken = {kind for trainer in phases for kind in trainer.consumes}
    orphans: dict[str, list[Row]] = {}
    for row in (*train, *validation):
        if row.kind not in taken:
            orphans.setdefault(row.kind, []).append(row)
    return work, [_orphan_problem(kind, rows) for kind, rows in orphans.items()]


def rows_beside(phases: Sequence[Trainer], train: Sequence[Row], validation: Sequence[Row]) -> list[Assigned]:
    """The phases beside those that train adapters, each with every row that it picks."""
    return [(trainer, _picked(trainer, train), _picked(trainer, validation)) for trainer in phases if trainer.beside]


def _picked(trainer: Trainer, rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.kind in trainer.consumes and trainer.picks(row))


def _orphan_problem(kind: str, rows: Sequence[Row]) -> Problem:
    """One problem for all rows of a kind, at the first of them: what is missing is one thing."""
    more = f"; {len(rows)} rows, this is the first" if len(rows) > 1 else ""
    return Problem(min(row.span for row in rows), f"no installed trainer takes {kind!r} rows{more}", code="DLM0401")
