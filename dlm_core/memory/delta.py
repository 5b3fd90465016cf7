"""What changed between the rows a version knows and those of the document now."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..api import Row

#: Where a row of an earlier version is now: on one of two sides of the split, deleted, or in another wording.
Side = Literal["trained", "validation", "gone", "replaced"]


@dataclass(frozen=True, slots=True)
class Known:
    """A row that a version knows.

    `question` is the hash of what it asks, "" where it asks nothing.  `first` is the number of the version that was
    the first to train it, 0 for a row that was only measured.  `copies` is how often the document held it.
    """

    id: str
    side: Side
    question: str
    first: int
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Delta:
    """Identities of rows to train on.  `changed` maps a row to the one whose place it took."""

    new: tuple[str, ...] = ()
    changed: Mapping[str, str] | None = None
    kept: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def replaced(self) -> Mapping[str, str]:
        return self.changed or {}

    @property
    def to_learn(self) -> frozenset[str]:
        """The rows that were not learned yet."""
        return frozenset((*self.new, *self.replaced))

    def counts(self) -> dict[str, int]:
        return {
            "new": len(self.new),
            "changed": len(self.replaced),
            "kept": len(self.kept),
            "gone": len(self.gone),
        }


def identity(row: Row) -> str:
    """What a row teaches, and to whom: 16 hex digits of SHA-256 over its hash and its adapters.

    Neither its section nor its place is part of it: an edit beside it, or moving it, leaves it the same.
    """
    return _short([row.hash, *row.adapters])


def question_of(row: Row) -> str:
    """The hash of what a row asks, 16 hex digits; "" for a row that asks nothing."""
    if row.question is None:
        return ""
    return _short([row.kind, *(f"{message.role}\n{message.text}" for message in row.question)])


def compare_rows(known: Sequence[Known], rows: Sequence[Row]) -> Delta:
    """The rows to train on beside those that were trained, both in the order of their documents.

    A row counts as changed when an old one with the same question is gone, or else one that stood behind the same
    row.  A row whose number of copies is another counts as changed too.
    """
    found = [(identity(row), row) for row in rows]
    copies = Counter(one for one, _ in found)
    old = {entry.id: entry for entry in known if entry.side == "trained"}
    kept = [one for one in copies if one in old and old[one].copies == copies[one]]
    unknown = {one: row for one, row in found if one not in old}
    lost = {one: entry for one, entry in old.items() if one not in copies}
    changed = {one: one for one in copies if one in old and old[one].copies != copies[one]}
    changed |= _same_question(unknown, lost)
    changed |= _same_place([*old], [*copies], unknown.keys() - changed.keys(), lost.keys() - set(changed.values()))
    taken = set(changed.values())
    return Delta(
        tuple(one for one in unknown if one not in changed),
        changed,
        tuple(kept),
        tuple(one for one in lost if one not in taken),
    )


def keep_sides(
    known: Sequence[Known], train: Sequence[Row], validation: Sequence[Row]
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows to train on and those to measure: a row that was trained once is never measured as if it were unseen,
    and one that was only measured stays so, unless its author marked it `!probe`.  What takes the place of a row that
    was trained is trained.

    A section's id, and with it the draw of sides, changes with every edit; the side of an unedited row does not.
    """
    trained = {entry.id for entry in known if entry.side != "validation"}
    measured = {entry.id for entry in known if entry.side == "validation"}
    trained |= compare_rows(known, _in_document_order((*train, *validation))).replaced.keys() - measured
    ours: list[Row] = []
    theirs: list[Row] = []
    moved = False
    for row in train:
        (theirs if identity(row) in measured and row.role != "probe" else ours).append(row)
    for row in validation:
        again = identity(row) in trained
        moved |= again
        (ours if again else theirs).append(row)
    return tuple(_in_document_order(ours) if moved else ours), tuple(theirs)


def _in_document_order(rows: Sequence[Row]) -> list[Row]:
    """Rows of the document by their lines, then those of sources as they came."""
    return sorted(rows, key=lambda row: (bool(row.source), (0, 0) if row.source else (row.span.line, row.index)))


def _same_question(unknown: Mapping[str, Row], lost: Mapping[str, Known]) -> dict[str, str]:
    asked = defaultdict(list)
    for entry in lost.values():
        if entry.question:
            asked[entry.question].append(entry.id)
    pairs = {}
    for one, row in unknown.items():
        if olds := asked.get(question_of(row)):
            pairs[one] = olds.pop(0)
    return pairs


def _same_place(old: Sequence[str], new: Sequence[str], unknown: Iterable[str], lost: Iterable[str]) -> dict[str, str]:
    """Unknown rows paired with lost ones that stood behind the same row."""
    unknown, lost = set(unknown), set(lost)
    if not unknown or not lost:
        return {}
    stood = dict(_behind(old, lost))
    pairs: dict[str, str] = {}
    for behind, ones in _behind(new, unknown):
        pairs |= zip(ones, stood.get(behind, ()), strict=False)
    return pairs


def _behind(order: Iterable[str], wanted: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Each row that is not wanted with the wanted ones that follow it; "" stands for the beginning."""
    before, group = "", list[str]()
    for one in order:
        if one in wanted:
            group.append(one)
            continue
        if group:
            yield before, group
        before, group = one, []
    if group:
        yield before, group


def _short(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:16]
