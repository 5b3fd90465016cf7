"""Before a weight is loaded: the document read, its rows measured, the run planned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .api import (
    AdapterSettings,
    BaseMissingError,
    BaseModel,
    Control,
    Document,
    DocumentError,
    Engine,
    LocatedBase,
    Plan,
    Precision,
    Row,
    TrainingSettings,
)
from .api.jobs import LongRows
from .cache import cache_of
from .checking import Checked, check
from .document.settings import adapter_settings, training_settings
from .document.text import decode
from .manifest import row_marks, run_marks, settings_marks
from .memory import Asked, Memory, Sizes, all_work, recall, room_in, work_of_run
from .planning.bases import about_base, find_engine
from .planning.hardware import read_hardware
from .planning.phases import rows_beside
from .planning.plan import (
    MAX_STEPS,
    PhaseWork,
    choose_precision,
    long_question_problems,
    make_plan,
    measure_work,
    refuse_before_download,
    row_sizes,
    share_steps,
    skipped_rows,
)
from .planning.speeds import find_speed
from .plugins import Plugins
from .sources.allowed import allow
from .store import Store, open_store
from .store.licences import accept, is_accepted
from .training import HERE


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may ask of a run beyond the document itself."""

    resume: bool = False
    force: bool = False
    fetch: bool = True
    ask_licence: bool = True
    long_rows: LongRows = "error"
    min_exam: float | None = None
    max_forgetting: float | None = None
    runner: str = HERE
    accept_licence: Callable[[BaseModel], bool] = lambda base: False
    on_wait: Callable[[str], None] = lambda message: None
    fresh: bool = False
    replay_deleted: bool = False
    allow_secret: tuple[Path, ...] = ()
    max_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything known before a weight is loaded.

    `train` are the document's rows on that side; `work` holds those of them that this run trains, by `memory`,
    and `all_work` every one.  `beside` are the phases behind them, which train something beside the adapters.
    """

    doc: Document
    base: LocatedBase
    engine: Engine
    precision: Precision
    adapters: Mapping[str, AdapterSettings]
    settings: TrainingSettings
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    exam_only: tuple[Row, ...]
    work: tuple[PhaseWork, ...]
    plan: Plan
    fingerprint: Mapping[str, str]
    text: str
    memory: Memory
    all_work: tuple[PhaseWork, ...] = ()
    beside: tuple[PhaseWork, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.train, *self.validation, *self.exam_only)


def prepare(path: Path, plugins: Plugins, options: Options, control: Control) -> Ready:
    """discover → parse → gather → build → plan.  Loads no weight and imports no torch."""
    checked = check(path, plugins, allowed=allow(options.allow_secret))
    doc, rows = checked.doc, checked.rows
    control.emit("document", path=str(path), sections=len(doc.sections), rows=len(rows), warnings=doc.warnings)
    if checked.tally.let_through:
        control.emit("secrets", files=checked.tally.let_through)
    engine = find_engine(checked.base, plugins)
    hardware = read_hardware()
    precision = choose_precision(hardware, checked.base, doc, plugins)
    refuse_before_download(doc, checked.base, hardware, precision)
    settings, adapters = training_settings(doc), adapter_settings(doc)
    if options.ask_licence:
        with about_base(doc, "DLM0132"):
            _ask_licence(checked.base, options)
    with about_base(doc):
        base = engine.locate(checked.base, fetch=options.fetch)
    base = replace(base, model=replace(base.model, accepts=engine.accepts(base.model)))
    base = replace(base, cache=cache_of(doc.config, lambda message: control.emit("warning", message=message)))
    measure = partial(row_sizes, base, engine, doc, settings)
    work = tuple(measure_work(checked.assigned, measure))
    skipped = skipped_rows(work, settings.sequence_len) if options.long_rows == "skip" else []
    if options.long_rows == "skip":
        work = tuple(phase.without_long(settings.sequence_len) for phase in work)
    phases = [phase.phase for phase in (*(phase for phase, _, _ in checked.assigned), *checked.beside)]
    marks = settings_marks(doc, base, adapters, settings, precision, phases, options.long_rows)
    store = open_store(doc.id)
    epochs = max((one.trainer.settings(doc, settings).num_epochs for one in work), default=settings.num_epochs)
    asked, known = _asked(options, store, doc), tuple(phase.assigned for phase in work)
    memory, assigned = recall(store, asked, marks, known, settings.seed, epochs)
    train = tuple(row for _, rows, _ in assigned for row in rows)
    validation = tuple(row for _, _, rows in assigned for row in rows)
    marks |= row_marks(train, validation, checked.exam_only)
    sizes = Sizes.of(work)
    whole = all_work(assigned, sizes)
    work = whole if memory.knows(marks) else work_of_run(memory, assigned, sizes, measure)
    beside = _beside(checked, train, validation, sizes)
    speed = find_speed(store.root, hardware, base, precision)
    if options.max_steps:
        settings = replace(settings, max_steps=share_steps(options.max_steps, (*work, *beside), adapters))
    plan = make_plan(
        doc,
        (*work, *beside),
        base,
        hardware,
        precision,
        adapters,
        settings,
        options.long_rows,
        speed,
        memory.rows_a_step,
    )
    if not any(choice.name == MAX_STEPS for choice in plan.choices):
        settings = replace(settings, max_steps=None)  # it ends by itself: the same run as without a limit
    choices = () if memory.knows(marks) else memory.choices()
    plan = replace(plan, choices=(*choices, *plan.choices), problems=(*skipped, *plan.problems))
    marks |= run_marks(plan, memory.marks(), settings.max_steps)
    _refuse(plan, checked.exam_only, base, engine, doc)
    if base.cache:
        base.cache.tell(control, "plan")
    control.emit("plan", plan=plan, base=base, adapters=adapters, settings=settings, start=memory.to_json())
    asked_only, text = checked.exam_only, read_again(doc)
    return Ready(
        doc,
        base,
        engine,
        precision,
        adapters,
        settings,
        train,
        validation,
        asked_only,
        work,
        plan,
        marks,
        text,
        memory,
        whole,
        beside,
    )


def _beside(checked: Checked, train: Sequence[Row], validation: Sequence[Row], sizes: Sizes) -> tuple[PhaseWork, ...]:
    """The phases that train something beside the adapters: they take all rows, wherever the run starts."""
    unique = [list({id(row): row for row in rows}.values()) for rows in (train, validation)]
    work = all_work(rows_beside(checked.beside, *unique), sizes)
    return tuple(replace(phase, steps=phase.trainer.steps(checked.doc, phase.rows)) for phase in work)


def _asked(options: Options, store: Store, doc: Document) -> Asked:
    """What is asked of memory; a run that goes on asks what it asked at its beginning."""
    room = room_in(options.max_steps, doc.config["training"])
    asked = Asked(options.fresh, options.force, options.replay_deleted, options.max_steps, room)
    waiting = store.interrupted() if options.resume else None
    return asked.as_before(waiting.manifest) if waiting else asked


def _refuse(plan: Plan, exam_only: Sequence[Row], base: LocatedBase, engine: Engine, doc: Document) -> None:
    """Raise DocumentError for what must not be trained or could not be asked."""
    asked = engine.measure(base, exam_only, doc.system_prompt, base.shape.context) if exam_only else []
    refused = [problem for problem in plan.problems if problem.severity == "error"]
    refused += long_question_problems(exam_only, asked, base.shape.context)
    if refused:
        raise DocumentError(doc.path, refused)


def _ask_licence(base: BaseModel, options: Options) -> None:
    if not base.gated or is_accepted(base.key, base.license):
        return
    if not options.accept_licence(base):
        raise BaseMissingError(
            f"{base.key} is under the licence {base.license}, which has not been accepted here",
            "read it, then run again with `--accept-licence`",
        )
    accept(base.key, base.license)


def read_again(doc: Document) -> str:
    """The text that `doc` was parsed from; nothing when the file was written to since."""
    try:
        data = doc.path.read_bytes()
    except OSError:
        return ""
    return decode(data, doc.path)[0] if hashlib.sha256(data).hexdigest() == doc.sha256 else ""
