"""Make the plan: phases in order, batch, memory, time, and everything that stands in the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..api import (
    AdapterSettings,
    BaseModel,
    Batch,
    Choice,
    Document,
    Engine,
    Hardware,
    LocatedBase,
    PhaseNotes,
    PhasePlan,
    Plan,
    Precision,
    Problem,
    Row,
    RowSize,
    Trainer,
    TrainingSettings,
)
from ..api.jobs import LongRows
from ..plugins import Plugins
from .batch import choose_batch, largest_batch, most_positions, rows_a_step
from .memory import STARTUP_SECONDS, memory_parts, pass_seconds, step_seconds
from .optimizers import optimizer_choice
from .phases import Assigned
from .precision import precision_choice
from .reality import Speed
from .refusals import base_weights, does_not_fit, lighter, too_big

#: The choice that says that a run takes fewer steps than its epochs have.
MAX_STEPS = "max_steps"

#: The part of the free memory that a plan may use.
MEMORY_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class PhaseWork:
    """One phase with the rows it trains on and those it only measures, and the sizes of both in the same order.

    `turns` is as in a `TrainJob`: the epochs of those rows that are not trained in every one.  `steps` is for a phase
    beside those that train adapters: how many it takes.
    """

    trainer: Trainer
    rows: tuple[Row, ...]
    validation: tuple[Row, ...]
    sizes: tuple[RowSize, ...]
    validation_sizes: tuple[RowSize, ...]
    turns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    steps: int = 0

    def epochs_of(self, row: Row, epochs: int) -> int:
        """In how many of so many epochs a row is trained."""
        return sum(turn < epochs for turn in self.turns[row.key]) if row.key in self.turns else epochs

    @property
    def assigned(self) -> Assigned:
        return self.trainer, self.rows, self.validation

    def without_long(self, sequence_len: int) -> PhaseWork:
        """The same without the rows that cannot be split and are longer than the sequence length."""
        train = [pair for pair in zip(self.rows, self.sizes, strict=True) if not _too_long(*pair, sequence_len)]
        held = zip(self.validation, self.validation_sizes, strict=True)
        validation = [pair for pair in held if not _too_long(*pair, sequence_len)]
        return PhaseWork(
            self.trainer,
            tuple(row for row, _ in train),
            tuple(row for row, _ in validation),
            tuple(size for _, size in train),
            tuple(size for _, size in validation),
            self.turns,
        )


def skipped_rows(work: Iterable[PhaseWork], sequence_len: int) -> list[Problem]:
    """What --long-rows skip leaves out."""
    return [problem for problem in long_row_problems([*work], sequence_len, "skip") if problem.code == "DLM0404"]


def _too_long(row: Row, size: RowSize, sequence_len: int) -> bool:
    return row.kind != "text" and size.length > sequence_len


def choose_precision(hardware: Hardware, base: BaseModel, doc: Document, plugins: Plugins) -> Precision:
    """Ask the policies, highest rank first."""
    for policy in sorted(plugins.precision_policies.values(), key=lambda policy: (-policy.rank, policy.name)):
        if (precision := policy.decide(hardware, base, doc)) is not None:
            return precision
    raise LookupError("core's own precision policies always decide")


def refuse_before_download(doc: Document, base: BaseModel, hardware: Hardware, precision: Precision) -> None:
    """Raise DocumentError when the weights alone, by the registry's count, exceed this machine's memory."""
    most = hardware.memory * MEMORY_SHARE
    if (need := base_weights(base, precision)) > most:
        held = precision.dtype if precision.quant == "none" else precision.quant
        others = [(knob, one) for knob, one in lighter(precision) if base_weights(base, one) <= most]
        raise does_not_fit(
            doc,
            "base_model",
            f"{base.key} needs {need / 2**30:.1f} GiB for its weights in {held}; "
            f"{hardware.name} has {hardware.memory / 2**30:.1f} GiB",
            f"set {others[0][0]}" if others else "choose a smaller base: `dlm bases`",
        )


def long_row_problems(work: Sequence[PhaseWork], sequence_len: int, long_rows: LongRows) -> list[Problem]:
    """What is split, cut, skipped or refused because it is longer than `training.sequence_len`."""
    problems = []
    for phase in work:
        rows, sizes = (*phase.rows, *phase.validation), (*phase.sizes, *phase.validation_sizes)
        for row, size in zip(rows, sizes, strict=True):
            if size.length <= sequence_len:
                continue
            over = f"{size.length} tokens, {size.length - sequence_len} more than training.sequence_len"
            inside = f", line {row.source_line}" if row.source_line else ""
            where = f" (from {row.source}{inside})" if row.source else ""
            if row.kind == "text":
                message = f"{over}{where}: split into {size.pieces} pieces, nothing is dropped"
                problems.append(Problem(row.span, message, None, "warning", "DLM0402"))
            elif long_rows == "error":
                hint = "raise `training.sequence_len`, shorten it, or pass `--long-rows cut` or `--long-rows skip`"
                if row.media:  # a part of a file is another file
                    hint = "raise `training.sequence_len`, or pass `--long-rows skip`"
                problems.append(Problem(row.span, f"{over}{where}", hint, "error", "DLM0403"))
            else:
                verb = "cut" if long_rows == "cut" and not row.media else "skipped"
                problems.append(Problem(row.span, f"{over}{where}: {verb}, as asked", None, "warning", "DLM0404"))
    return problems


def long_question_problems(rows: Sequence[Row], sizes: Sequence[RowSize], context: int) -> list[Problem]:
    """Questions that are only asked and would not fit, with their answers, in what the base reads."""
    message = "question and answer are {} tokens; this base reads {}"
    return [
        Problem(row.span, message.format(size.tokens, context), "shorten it", code="DLM0403")
        for row, size in zip(rows, sizes, strict=True)
        if size.tokens > context
    ]


def count_steps(
    work: PhaseWork, adapters: Mapping[str, AdapterSettings], batch: Batch, settings: TrainingSettings
) -> int:
    """Optimizer steps of a phase: each adapter trains on its own pieces, the last batch of an epoch may be short."""
    if work.trainer.beside:
        return settings.most_steps(work.steps)
    total = 0
    for name in adapters:
        pieces = [0] * settings.num_epochs
        for row, size in zip(work.rows, work.sizes, strict=True):
            if name in row.adapters:
                for epoch in work.turns.get(row.key, range(settings.num_epochs)):
                    pieces[epoch] += size.pieces if epoch < settings.num_epochs else 0
        total += settings.most_steps(sum(math.ceil(some / batch.rows) for some in pieces))
    return total


def share_steps(most: int, work: Iterable[PhaseWork], adapters: Iterable[str]) -> int:
    """How many of `most` optimizer steps each adapter may take in each phase in which it has rows; at least one."""
    names = list(adapters)
    courses = 0
    for phase in work:
        taught = sum(any(name in row.adapters for row in phase.rows) for name in names)
        courses += bool(phase.steps) if phase.trainer.beside else taught
    return max(1, most // max(1, courses))


def row_sizes(
    base: LocatedBase, engine: Engine, doc: Document, settings: TrainingSettings, rows: Sequence[Row]
) -> tuple[RowSize, ...]:
    """Sizes of rows in the base's own tokens."""
    return tuple(engine.measure(base, rows, doc.system_prompt, settings.sequence_len)) if rows else ()


def measure_work(
    assigned: Iterable[Assigned], measure: Callable[[Sequence[Row]], tuple[RowSize, ...]]
) -> list[PhaseWork]:
    """Each phase with the sizes of its rows, as `measure` takes them."""
    return [PhaseWork(trainer, rows, held, measure(rows), measure(held)) for trainer, rows, held in assigned]


def make_plan(
    doc: Document,
    work: Sequence[PhaseWork],
    base: LocatedBase,
    hardware: Hardware,
    precision: Precision,
    adapters: Mapping[str, AdapterSettings],
    settings: TrainingSettings,
    long_rows: LongRows,
    speed: Speed | None = None,
    rows: int | None = None,
) -> Plan:
    """Everything that will happen, with the reasons.  Raises DocumentError when one row at a time does not fit.

    `speed` is what an earlier run on this machine showed; without it the time comes from a formula.
    `rows` is how many rows one step takes where the document leaves it to us, if not as many as usual.
    """
    teaching = [phase for phase in work if not phase.trainer.beside]
    sizes = [size for phase in teaching for size in phase.sizes]
    widths = [size.positions(settings.sequence_len) for size in sizes]
    longest = max(widths, default=0)
    labelled = min(max((size.labelled for size in sizes), default=0), longest)
    free = int(hardware.free_memory * MEMORY_SHARE)

    notes = {phase.trainer.phase: phase.trainer.notes(doc, phase.rows, base) for phase in work}
    extra = _largest_parts(note.memory for note in notes.values())

    bound = most_positions(hardware, precision)

    def memory_of(positions: int, labels: int, one: Precision = precision) -> dict[str, int]:
        return memory_parts(base.shape, adapters, one, positions, labels, settings.optimizer, backend=hardware.backend)

    def parts(micro: int) -> dict[str, int]:
        tokens = Batch(micro, 1, bound).most_positions(longest)
        return {**memory_of(tokens, min(tokens, micro * labelled)), **extra}

    fits = {micro: sum(parts(micro).values()) <= free for micro in (1, 2, 4, 8)}
    batch, choices = choose_batch(doc, fits, rows or rows_a_step(sum(size.pieces for size in sizes)), longest, bound)
    lengths = [width for width, size in zip(widths, sizes, strict=True) for _ in range(size.pieces)]
    positions = largest_batch(lengths, batch)
    memory = {**memory_of(positions, min(positions, batch.micro * labelled)), **extra}
    if not fits[1]:
        help_ = [knob for knob, one in lighter(precision) if sum(memory_of(longest, labelled, one).values()) <= free]
        raise too_big(doc, parts(1), free, base, help_)
    problems = [problem for note in notes.values() for problem in note.problems]
    problems += long_row_problems(teaching, settings.sequence_len, long_rows)
    if sum(memory.values()) > free:
        message = (
            f"a micro batch of {batch.micro} needs about {sum(memory.values()) / 2**30:.1f} GiB, more than is free"
        )
        where = doc.where("training.micro_batch_size")
        problems.append(Problem(where, message, "leave it at `auto`", "warning", "DLM0405"))
    if long_rows == "skip":
        work = [phase.without_long(settings.sequence_len) for phase in work]
    phases = tuple(_phase_plan(phase, adapters, batch, phase.trainer.settings(doc, settings)) for phase in work)
    steps = sum(phase.steps for phase in phases)
    passes = sum(_times(row, adapters) for one in work for row in one.rows if not one.trainer.beside)
    passes += sum(len(one.rows) for one in work if one.trainer.beside)
    tokens = sum(_tokens_trained(phase, adapters, plan.epochs) for plan, phase in zip(phases, work, strict=True))
    ends = replace(settings, max_steps=None)
    whole = sum(count_steps(phase, adapters, batch, phase.trainer.settings(doc, ends)) for phase in work)
    if whole > steps:
        tokens = tokens * steps // whole
        choices = (*choices, Choice(MAX_STEPS, str(steps), f"as --max-steps asks, of {whole}"))
    choices = (*choices, *_phase_choices(notes))
    formula = step_seconds(base.shape, hardware, precision, tokens, steps)
    seen = sum(notes[phase.trainer.phase].passes * _tokens_seen(phase, adapters) for phase in work)
    passing = pass_seconds(base.shape, hardware, precision, seen)
    time, reason = _time(formula + passing, speed)
    return Plan(
        hardware=hardware,
        precision=precision,
        batch=batch,
        phases=phases,
        memory=memory,
        seconds=time,
        choices=(precision_choice(precision), *optimizer_choice(settings.optimizer, adapters, hardware), *choices),
        problems=tuple(problems),
        details={
            "rows": passes,
            "tokens": tokens,
            "step_seconds": formula,
            "pass_seconds": passing,
            "seconds_reason": reason,
            "phases": {name: dict(note.details) for name, note in notes.items() if note.details},
        },
    )


def _phase_choices(notes: Mapping[str, PhaseNotes]) -> Iterator[Choice]:
    """What phases chose, each under its phase's name."""
    for phase, note in notes.items():
        yield from (replace(choice, name=f"{phase} {choice.name}") for choice in note.choices)


def _largest_parts(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Phases follow each other, so of each part the largest counts."""
    found: dict[str, int] = {}
    for one in parts:
        found |= {name: max(size, found.get(name, 0)) for name, size in one.items()}
    return found


def _time(formula: float, speed: Speed | None) -> tuple[float, str]:
    """Seconds from the first import to the trained adapter, and where that number comes from."""
    if speed is None:
        return STARTUP_SECONDS + formula, "by a formula; the first run here measures it"
    return speed.outside + speed.factor * formula, f"as measured in {speed.where}"


def _times(row: Row, adapters: Collection[str]) -> int:
    """How many adapters a row trains."""
    return sum(name in adapters for name in row.adapters)


def _tokens_trained(work: PhaseWork, adapters: Collection[str], epochs: int) -> int:
    """Tokens of every pass over every row, counted once for each adapter that they train; a phase beside has none."""
    if work.trainer.beside:
        return 0
    pairs = zip(work.rows, work.sizes, strict=True)
    return sum(_times(row, adapters) * size.tokens * work.epochs_of(row, epochs) for row, size in pairs)


def _tokens_seen(work: PhaseWork, adapters: Collection[str]) -> int:
    """Tokens of one pass over every row, those that are only measured too, counted once for each of their adapters."""
    rows, sizes = (*work.rows, *work.validation), (*work.sizes, *work.validation_sizes)
    return sum(_times(row, adapters) * size.tokens for row, size in zip(rows, sizes, strict=True))


def section_sizes(work: Iterable[PhaseWork]) -> list[dict[str, Any]]:
    """Each section's rows and tokens in one epoch, in the order of their lines."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for phase in work:
        for role, rows, sizes in (
            ("train", phase.rows, phase.sizes),
            ("validation", phase.validation, phase.validation_sizes),
        ):
            for row, size in zip(rows, sizes, strict=True):
                key = (row.section_id, phase.trainer.phase)
                entry = found.setdefault(key, _empty_section(row, phase.trainer.phase))
                entry["line"] = min(entry["line"], row.line)
                entry[role] += 1
                entry["tokens"] += size.tokens
                entry["labelled"] += size.labelled
                entry["pieces"] += size.pieces
    return sorted(found.values(), key=lambda entry: (entry["line"], entry["source"], entry["id"]))


def _empty_section(row: Row, phase: str) -> dict[str, Any]:
    known = {"id": row.section_id, "line": row.line, "type": row.section_type, "source": row.source}
    zero = {"train": 0, "validation": 0, "tokens": 0, "labelled": 0, "pieces": 0}
    return {**known, "phase": phase, "adapters": list(row.adapters), **zero}


def _phase_plan(
    work: PhaseWork, adapters: Mapping[str, AdapterSettings], batch: Batch, settings: TrainingSettings
) -> PhasePlan:
    if work.trainer.beside:
        steps = count_steps(work, adapters, batch, settings)
        return PhasePlan(work.trainer.phase, len(work.rows), len(work.validation), 0, 0, steps, 0)
    epochs = settings.num_epochs
    passes = [(work.epochs_of(row, epochs), size) for row, size in zip(work.rows, work.sizes, strict=True)]
    return PhasePlan(
        phase=work.trainer.phase,
        rows=sum(times for times, _ in passes) // epochs,
        validation=len(work.validation),
        tokens=sum(times * size.tokens for times, size in passes) // epochs,
        labelled=sum(times * size.labelled for times, size in passes) // epochs,
        steps=count_steps(work, adapters, batch, settings),
        longest=max((size.length for size in work.sizes), default=0),
        epochs=settings.num_epochs,
    )
