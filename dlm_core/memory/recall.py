"""Where a run starts: from the version before on what changed and a sample, or from the base on all rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..api import AdapterSettings, Choice, Media, Row
from ..manifest import MOST_STEPS, settings_changed, whats_different
from ..planning.phases import Assigned
from ..store import DamagedStoreError, Store, Version
from .delta import Delta, compare_rows, identity, keep_sides
from .ledger import Ledger, next_ledger, read_ledger, read_rows, write_segment
from .sample import MOST, draw, kinship, recency, sample_size, second_size, words_of

#: The choice that says where a run starts.
START = "start"

#: The part of the learning rate with which a run learns beside a sample of the old rows, and the rows of one step: the
#: old rows' gradients are near zero, so fast small steps would push the others out.  With fewer than 16 epochs it is
#: HASTE / epochs: a quarter of the rate in 8 epochs did not teach one edited answer.  A second round takes half of it.
SLOWER, HASTE = 0.25, 4
ROWS_A_STEP = 64

#: The least epochs of a second round: in fewer, a single edited answer of a document with 12 epochs was not learned.
LEAST_SECOND = 4


def room_in(most_steps: int | None, training: Mapping[str, Any]) -> int | None:
    """How many rows so many steps take at least, by the document's settings: what is new has to be among them."""
    if most_steps is None:
        return None
    micro, accumulate = training["micro_batch_size"], training["grad_accum"]
    if accumulate == "auto":
        return most_steps * ROWS_A_STEP
    return most_steps * int(accumulate) * (1 if micro == "auto" else int(micro))


def pace_of(epochs: int) -> float:
    """The part of the learning rate that is used beside a sample of the old rows."""
    return round(min(1.0, max(SLOWER, HASTE / epochs)), 2)


def second_epochs(epochs: int) -> int:
    """How many epochs a second round has."""
    return max(LEAST_SECOND, math.ceil(epochs / 8))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks of memory: `fresh` starts from the base, `replay_deleted` brings deleted rows back.

    `room` is how many rows fit in `max_steps` at least, None without a limit.
    """

    fresh: bool = False
    force: bool = False
    replay_deleted: bool = False
    max_steps: int | None = None
    room: int | None = None

    def as_before(self, manifest: Mapping[str, Any]) -> Asked:
        """What an interrupted run was asked, so that it goes on as it began."""
        then = manifest.get("memory", {}).get("asked", {})
        return replace(self, **{name: then[name] for name in ("fresh", "force", "replay_deleted") if name in then})


@dataclass(frozen=True)
class Memory:
    """What a run knows of the version before it.

    `warm`: it starts from that version's adapter; `reason` says why or why not, "" for a document's first run.
    `again` are, for each epoch, the identities of old rows that are trained once more, `restored` the contents of those
    that were deleted.  `sampled`: they are fewer than there are, and the learning rate is `pace` times what is set.
    `lost` are old rows that a first round lost: a `second` round trains them with what is new.
    """

    before: Version | None = None
    ledger: Ledger | None = None
    warm: bool = False
    reason: str = ""
    delta: Delta = field(default_factory=Delta)
    again: tuple[tuple[str, ...], ...] = ()
    sampled: bool = False
    pace: float = 1.0
    lost: frozenset[str] = frozenset()
    second: bool = False
    restored: Mapping[str, Row] = field(default_factory=dict)
    asked: Asked = Asked()

    @property
    def version(self) -> int:
        """The number of the version before; 0 when there is none."""
        return self.before.number if self.before else 0

    @property
    def start(self) -> Path | None:
        """The adapters that the first phase starts from."""
        return self.before.adapter if self.warm and self.before else None

    @cached_property
    def turns_of(self) -> dict[str, tuple[int, ...]]:
        """Identity of an old row -> the epochs in which it is trained."""
        found: dict[str, list[int]] = {}
        for epoch, turn in enumerate(self.again):
            for one in turn:
                found.setdefault(one, []).append(epoch)
        return {one: tuple(epochs) for one, epochs in found.items()}

    def taught(self, adapters: Mapping[str, AdapterSettings]) -> dict[str, AdapterSettings]:
        """The adapters' settings for this run: beside a mere sample of the old rows, learning is slower."""
        return {name: replace(one, learning_rate=one.learning_rate * self.pace) for name, one in adapters.items()}

    @property
    def was_fresh(self) -> bool:
        """Whether the version before was itself trained from the base."""
        return self.before is not None and self.before.manifest.get("memory", {}).get("start", "base") == "base"

    @property
    def rows_a_step(self) -> int | None:
        """Rows of one optimizer step where the document does not say; None where nothing is out of the ordinary."""
        return ROWS_A_STEP if self.sampled else None

    @property
    def nothing_new(self) -> bool:
        """Whether the adapter of the version before stays as it is: at most rows were removed."""
        return self.warm and not self.delta.to_learn

    def is_of(self, current: Version | None) -> bool:
        """Whether `current` is still the version that this was made for."""
        ours, now = self.before, current
        return (ours.number, ours.sha256) == (now.number, now.sha256) if ours and now else ours is now

    def knows(self, marks: Mapping[str, str]) -> bool:
        """Whether the version before was made of these very rows with these very settings."""
        return self.warm and self.before is not None and not whats_different(self.before.manifest["fingerprint"], marks)

    def choices(self) -> tuple[Choice, ...]:
        """Where the run starts, as the plan says it."""
        if self.before is None:
            return ()
        choices = (Choice(START, f"version {self.before.number}" if self.warm else "the base", self.reason),)
        if self.pace == 1:
            return choices
        reason = "so that the old rows that are not trained again are not lost"
        return (*choices, Choice("learning_rate", f"{self.pace:g} of what is set", reason))

    def to_json(self) -> dict[str, Any]:
        """What the manifest and programs are told."""
        return {
            "before": self.before.number if self.before else None,
            "start": "version" if self.warm else "base",
            "reason": self.reason,
            **self.delta.counts(),
            "replayed": max(map(len, self.again), default=0),
            "restored": len(self.restored),
        }

    def manifest(self) -> dict[str, Any]:
        """The same with what was asked, for the run's own manifest."""
        asked = {name: getattr(self.asked, name) for name in ("fresh", "force", "replay_deleted")}
        return {**self.to_json(), "asked": asked}

    def restored_for(self, adapters: Collection[str], kinds: Collection[str]) -> dict[str, Row]:
        """Deleted rows of these kinds that are trained once more, for these adapters alone, by their identity."""
        rows = {one: narrowed(row, adapters) for one, row in self.restored.items() if row.kind in kinds}
        return {one: row for one, row in rows.items() if row}

    def marks(self) -> list[str]:
        """What decides the bits of this run beside its document and settings."""
        start = self.before.sha256 if self.warm and self.before else ""
        return [start, *sorted(self.delta.to_learn if self.warm else ()), *(" ".join(turn) for turn in self.again)]

    def segment(self, number: int, train: Sequence[Row], validation: Sequence[Row]) -> bytes:
        """What version `number`, made of these rows, knows."""
        ledger = next_ledger(self.ledger, self.delta, number, train, validation)
        return write_segment(ledger, train)


def recall(
    store: Store, asked: Asked, settings: Mapping[str, str], assigned: tuple[Assigned, ...], seed: int, epochs: int
) -> tuple[Memory, tuple[Assigned, ...]]:
    """Where the run starts and on which rows, and the rows of each phase on their sides.

    `settings` is the part of the fingerprint that no row has a part in.  Raises DamagedStoreError when what the
    version before knows cannot be read and is needed.
    """
    before = store.current()
    if before is None:
        return Memory(delta=compare_rows((), [row for _, train, _ in assigned for row in train]), asked=asked), assigned
    try:
        ledger = read_ledger(before)
    except DamagedStoreError:
        if not asked.fresh:
            raise
        ledger = None
    known = ledger.known if ledger else ()
    sided = tuple((phase, *keep_sides(known, train, held)) for phase, train, held in assigned)
    delta = compare_rows(known, [row for _, train, _ in sided for row in train])
    if reason := _why_from_the_base(before, ledger, asked, settings, delta, sided):
        delta = compare_rows(known, [row for _, train, _ in assigned for row in train])
        return Memory(before, ledger, reason=reason, delta=delta, asked=asked), assigned
    memory = Memory(before, ledger, True, "", delta, asked=asked)
    memory = _replay(store, memory, [row for _, train, _ in sided for row in train], seed, epochs)
    return replace(memory, reason=_in_words(memory)), sided


def chosen(memory: Memory, rows: Sequence[Row]) -> list[Row | None]:
    """Each row as this warm run trains it, None where it does not.

    An adapter for which nothing is new is carried over as it is: no replayed row is trained for it.
    """
    learn, again = memory.delta.to_learn | memory.lost, memory.turns_of.keys()
    marked = [identity(row) for row in rows]
    touched = {name for one, row in zip(marked, rows, strict=True) if one in learn for name in row.adapters}
    return [
        row if one in learn else narrowed(row, touched) if one in again else None
        for one, row in zip(marked, rows, strict=True)
    ]


def narrowed(row: Row, touched: Collection[str]) -> Row | None:
    """The row for those of its adapters that are among `touched`; None when there is none."""
    names = tuple(name for name in row.adapters if name in touched)
    return replace(row, adapters=names) if names else None


def _why_from_the_base(
    before: Version,
    ledger: Ledger | None,
    asked: Asked,
    settings: Mapping[str, str],
    delta: Delta,
    sided: Sequence[Assigned],
) -> str:
    """Why the version before is no start, "" when it is one."""
    seen = before.manifest["fingerprint"]
    name = f"version {before.number}"
    if asked.fresh:
        return "--fresh asks for it"
    if ledger is None:
        return f"{name} did not note which rows it was trained on"
    if changed := settings_changed(seen, settings):
        return f"{', '.join(changed)} changed since {name}"
    if MOST_STEPS in seen and not asked.max_steps:
        return f"{name} was stopped by --max-steps before its epochs were over"
    if not delta.kept and (delta.to_learn or not sided):
        return f"no row of {name} is left"
    if not delta.to_learn and (MOST_STEPS in seen or (asked.force and not delta.gone)):
        return f"no row is new since {name}, and all are to be trained again"
    return ""


def second_round(memory: Memory, rows: Sequence[Row], missed: frozenset[str], seed: int, epochs: int) -> Memory:
    """How what a first round missed or lost is trained once more: a few epochs, slowly, with more old rows."""
    stay = set(memory.delta.kept) - missed
    kept = {one: row for row in rows if (one := identity(row)) in stay}
    weights = _weights(memory, kept, [row for row in rows if identity(row) in memory.delta.to_learn | missed])
    again = draw(weights, f"{seed}:{memory.version}:second", second_size(len(kept)), second_epochs(epochs))
    lost = missed - memory.delta.to_learn
    pace = pace_of(epochs) / 2
    return replace(memory, again=again, sampled=True, pace=pace, lost=lost, second=True, restored={})


def _replay(store: Store, memory: Memory, rows: Sequence[Row], seed: int, epochs: int) -> Memory:
    """The same with the old rows to train once more, and the contents of those that the document no longer has."""
    delta = memory.delta
    if not delta.to_learn or memory.ledger is None:
        return memory
    kept = set(delta.kept)
    pool = {one: row for row in rows if (one := identity(row)) in kept}
    restored: dict[str, Row] = {}
    if memory.asked.replay_deleted:
        now = set(delta.gone)
        gone = {entry.id: entry.first for entry in memory.ledger.known if entry.side == "gone" or entry.id in now}
        restored = {one: row for one, row in read_rows(store, gone).items() if _is_whole(row)}
        pool |= restored
    new = [row for row in rows if identity(row) in delta.to_learn]
    size = sample_size(len(pool), len(delta.to_learn))
    if memory.asked.room is not None:
        courses = len({name for row in new for name in row.adapters})
        size = min(size, max(0, memory.asked.room // max(1, courses) - len(new)))
    weights = _weights(memory, pool, new)
    again = draw(weights, f"{seed}:{memory.version}", size, epochs)
    drawn = {one for turn in again for one in turn}
    back = {one: row for one, row in restored.items() if one in drawn}
    sampled = size < len(pool)
    return replace(memory, again=again, sampled=sampled, pace=pace_of(epochs) if sampled else 1.0, restored=back)


def _weights(memory: Memory, pool: Mapping[str, Row], new: Sequence[Row]) -> dict[str, float]:
    """How likely each row of `pool` is drawn: the later it came, and the more it is like what is new."""
    first = {entry.id: entry.first for entry in memory.ledger.known} if memory.ledger else {}
    about = [words_of(row) for row in new[:MOST]]
    return {one: recency(memory.version - first[one]) * kinship(row, about) for one, row in pool.items()}


def _is_whole(row: Row) -> bool:
    """Whether the files that a row refers to are still there."""
    media = (part for message in row.messages for part in message.content if isinstance(part, Media))
    return all(Path(part.path).is_file() for part in media)


def _in_words(memory: Memory) -> str:
    """`3 new, 1 changed, 0 gone; 20 of 196 old rows replayed`."""
    count = memory.delta.counts()
    said = f"{count['new']} new, {count['changed']} changed, {count['gone']} gone"
    if not memory.delta.to_learn:
        hint = "; --fresh trains without what is gone" if count["gone"] else ""
        return f"{said}: no training is due{hint}"
    pool = count["kept"] + len(memory.restored)
    again = max(map(len, memory.again), default=0)
    said += f"; {again} of {pool} old rows replayed{' in each epoch' if memory.sampled else ''}"
    return said + (f", {len(memory.restored)} of them deleted" if memory.restored else "")
