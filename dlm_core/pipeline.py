"""What `dlm run` does, from top to bottom: one function a stage, values flow one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from .answering import Chosen, Wanted, choose
from .api import (
    Batch,
    Control,
    DivergedError,
    DlmError,
    LocatedBase,
    Mix,
    NotLearnedError,
    RunFailedError,
    UsageError,
)
from .exam import Comparison, Exam, compare_exams, examine
from .manifest import (
    EXAM_QUESTIONS,
    MOST_STEPS,
    seal,
    whats_different,
    without_limit,
    write_manifest,
)
from .planning.reality import Reality
from .plugins import Plugins
from .preparing import Options, Ready, prepare
from .recording import Recorder
from .report.record import State
from .routing import OnDuty, RoutedModel, on_duty
from .store import Interrupted, Kept, Run, Store, Version, Writer, open_store
from .training import second_of, train_watched


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left: the current version, whether it was trained now, and its exam."""

    ready: Ready
    store: Store
    version: Version
    trained: bool
    exam: Exam | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    compared: Comparison | None = None
    reality: Reality | None = None
    report: Path | None = None
    mix: Mix | None = None


def run(
    path: Path,
    plugins: Plugins,
    options: Options,
    control: Control,
    before_training: Callable[[Ready], None] = lambda ready: None,
) -> Outcome:
    """Train if anything changed, examine, commit.  Raises DlmError; the version before stays current."""
    plugins.get(plugins.runners, options.runner)
    ready = prepare(path, plugins, options, control)
    before_training(ready)
    store = open_store(ready.doc.id)
    if trained := _already_trained(ready, store, plugins, options, control):
        return trained
    return _train_and_commit(ready, store, plugins, options, control, before_training)


def exam_again(
    path: Path,
    plugins: Plugins,
    options: Options,
    control: Control,
    number: int | None = None,
    wanted: Wanted | None = None,
) -> Outcome:
    """Ask the document's questions of a version that is already there.

    `wanted` names an adapter or a mix: only what is for those adapters is asked then, of that one or of the mix.
    """
    ready = prepare(path, plugins, options, control)
    store = open_store(ready.doc.id)
    version = current_version(store, number)
    refuse_other_base(version, ready.base)
    with choose(wanted or Wanted(), version, ready.engine, ready.base, plugins) as chosen:
        if wanted and wanted.is_by_name:
            ready = _only_for(chosen, ready)
        exam = _examine(ready, chosen.folder, chosen.duty, control)
    _hold_to(exam, options.min_exam)
    return Outcome(ready, store, version, False, exam, mix=chosen.mix)


def _only_for(chosen: Chosen, ready: Ready) -> Ready:
    """The same with the rows of one adapter.  Raises UsageError when there is none."""
    train, validation, exam_only = (chosen.own(rows) for rows in (ready.train, ready.validation, ready.exam_only))
    if not (*train, *validation, *exam_only):
        raise UsageError(f"no section of the document is for {' or '.join(sorted(chosen.members))}", "ask another one")
    return replace(ready, train=train, validation=validation, exam_only=exam_only)


def current_version(store: Store, number: int | None = None) -> Version:
    """A version by number, or the current one.  Raises UsageError when there is none."""
    version = store.version(number) if number is not None else store.current()
    if version is None:
        raise UsageError("this document has no trained version yet", "train it first: `dlm run DOCUMENT`")
    return version


def refuse_other_base(version: Version, base: LocatedBase) -> None:
    """Raise RunFailedError when a version was trained on other files than those of this base."""
    if version.manifest["base"]["sha256"] != base.sha256:
        raise RunFailedError(
            f"version {version.number} was trained on {version.manifest['base']['key']}, with other files than those "
            f"of {base.model.key} here",
            "train again with `dlm run`, or put the base back",
        )


# -- stages -----------------------------------------------------------------------------------------


def _already_trained(
    ready: Ready, store: Store, plugins: Plugins, options: Options, control: Control
) -> Outcome | None:
    """The current version when a run would only make it again, with its exam; new questions are asked now."""
    current = store.current()
    if current is None or options.force or options.resume:
        return None
    seen = current.manifest["fingerprint"]
    wanted = ready.fingerprint if MOST_STEPS in seen else without_limit(ready.fingerprint)
    if whats_different(seen, wanted) or (options.fresh and not ready.memory.was_fresh):
        return None
    store.settle()
    control.emit("unchanged", version=current.number)
    if seen[EXAM_QUESTIONS] == ready.fingerprint[EXAM_QUESTIONS]:
        exam = Exam.from_json(current.manifest["exam"])
    else:
        exam = _examine_all(ready, current.adapter, plugins, control)
        control.emit("exam", exam=exam, compared=None)
    _hold_to(exam, options.min_exam)
    return Outcome(ready, store, current, False, exam)


def _train_and_commit(
    ready: Ready,
    store: Store,
    plugins: Plugins,
    options: Options,
    control: Control,
    before_training: Callable[[Ready], None],
) -> Outcome:
    with store.writing(options.on_wait) as writer:
        if not ready.memory.is_of(store.current()):
            # Whoever held the lock before made a version, or went back to one: what is to be done is another thing now.
            ready = prepare(ready.doc.path, plugins, options, control)
            before_training(ready)
        if trained := _already_trained(ready, store, plugins, options, control):
            return trained
        waiting = store.interrupted()
        if options.resume:
            ready, run = _continue(ready, waiting, writer)
        else:
            if waiting:
                control.emit("abandoned", run=waiting.id)
            run = writer.begin(_opening(ready, plugins))
        recorder = Recorder(run, ready, store, control, options.resume)
        watched = Control(recorder.see, control.stop_requested)
        watched.emit("run", run=run.id, resumed=options.resume)
        try:
            metrics, kept, exam, compared = _train_or_keep(ready, plugins, options, watched, run, recorder)
            watched.emit("exam", exam=exam, compared=compared.to_json() if compared else None)
            _hold_to(exam, options.min_exam)
            _hold_on(exam, compared, options.max_forgetting)
            reality = recorder.reality()
            watched.emit("reality", **reality.to_json())
            segment = partial(ready.memory.segment, train=ready.train, validation=ready.validation)
            version = run.commit(kept, seal(metrics, exam, compared, reality), segment)
        except BaseException as error:
            recorder.finish(_close(run, error), error=error)
            raise
        control.emit("commit", version=version.number, adapter=str(version.adapter))
        report = recorder.finish("committed", version.number)
    return Outcome(ready, store, version, True, exam, metrics, compared, reality, report)


def _continue(ready: Ready, waiting: Interrupted | None, writer: Writer) -> tuple[Ready, Run]:
    """Go on with the interrupted run, in the micro batches it was using: they decide the last bits."""
    if waiting is None:
        raise UsageError("there is no interrupted run to resume", "start one: `dlm run DOCUMENT`")
    changed = whats_different(waiting.manifest["fingerprint"], ready.fingerprint, same_run=True)
    if changed:
        raise RunFailedError(
            f"the interrupted run cannot go on: {', '.join(changed)} changed since it started",
            "undo the change, or start over without `--resume`",
        )
    batch = Batch(**waiting.manifest["plan"]["batch"])
    return replace(ready, plan=replace(ready.plan, batch=batch)), writer.resume(waiting)


def _opening(ready: Ready, plugins: Plugins) -> dict[str, Any]:
    """What is known of a run before it trains."""
    memory = ready.memory.manifest()
    return write_manifest(ready.doc, ready.text, ready.rows, ready.base, ready.plan, ready.fingerprint, memory, plugins)


def _train_or_keep(
    ready: Ready, plugins: Plugins, options: Options, control: Control, run: Run, recorder: Recorder
) -> tuple[dict[str, float], Kept, Exam, Comparison | None]:
    """The trained adapter with its exam; when nothing is new, that of the version before.

    When a run beside a sample of the old rows lost some of them, or missed what is new, a short second round trains
    those; the better of both is kept.
    """
    if ready.memory.nothing_new and ready.memory.before:
        kept = run.keep_version(ready.memory.before)
        exam = _examine_all(ready, kept.path, plugins, control)
        return {}, kept, exam, _compare(ready, exam)
    metrics, adapter = train_watched(ready, plugins, options, control, run, recorder)
    kept = run.keep(adapter)
    exam = _examine_all(ready, kept.path, plugins, control)
    compared = _compare(ready, exam)
    second = second_of(ready, exam, compared)
    if second is None or compared is None:
        return metrics, kept, exam, compared
    control.emit("second_round", lost=compared.had - compared.kept, missed=compared.new - compared.learned)
    more, adapter = train_watched(second, plugins, options, control, run, recorder, kept.path)
    again = run.keep(adapter)
    exam_again = _examine_all(second, again.path, plugins, control)
    compared_again = _compare(ready, exam_again)
    if compared_again is None or compared_again.score <= compared.score:
        return metrics, kept, exam, compared
    return metrics | more, again, exam_again, compared_again


def _close(run: Run, error: BaseException) -> State:
    """Record how a run ended; its checkpoints stay for --resume unless what was trained is itself at fault."""
    hopeless = isinstance(error, NotLearnedError | DivergedError)
    if hopeless or not any(run.work.rglob("*.safetensors")):
        run.fail(f"{type(error).__name__}: {error}")
        return "failed"
    run.interrupt(getattr(error, "step", 0))
    if isinstance(error, DlmError) and not error.hint:
        error.hint = "what was trained is kept; go on with --resume"
    return "interrupted"


def _examine_all(ready: Ready, adapters: Path, plugins: Plugins, control: Control) -> Exam:
    """The exam of a version as it is used: with its router, if it has one."""
    return _examine(ready, adapters, on_duty(adapters, frozenset(), plugins), control)


def _examine(ready: Ready, adapters: Path, duty: OnDuty | None, control: Control) -> Exam:
    with ready.engine.open(ready.base, adapters, ready.precision, ready.doc.system_prompt) as opened:
        model = RoutedModel(opened, duty) if duty else opened
        exam = examine(model, ready.train, ready.validation, ready.exam_only, control)
    if ready.base.cache:
        ready.base.cache.tell(control, "exam")
    return exam


def _compare(ready: Ready, exam: Exam) -> Comparison | None:
    """The exam beside that of the version before; None where there is none."""
    before = ready.memory.before
    return compare_exams(before.number, Exam.from_json(before.manifest["exam"]), exam) if before else None


def _hold_on(exam: Exam, compared: Comparison | None, most: float | None) -> None:
    """Raise NotLearnedError when more than `most` of what the version before knew was lost."""
    if most is None or compared is None or compared.forgetting <= most:
        return
    raise NotLearnedError(
        f"{compared.forgetting:.0%} of what version {compared.version} knew was lost, more than --max-forgetting "
        f"{most:g}: {compared.in_words()}; version {compared.version} stays current",
        "train all rows again with `--fresh`, lower `training.learning_rate`, or allow more",
        exam=exam,
    )


def _hold_to(exam: Exam, least: float | None) -> None:
    if exam.unchanged:
        raise NotLearnedError(
            "training changed nothing: the adapter answers like the base",
            "raise `training.learning_rate`",
            exam=exam,
        )
    if least is None or exam.share >= least:
        return
    exact, asked = exam.score()
    raise NotLearnedError(
        f"the exam found {exact} of {asked} trained questions answered exactly, less than --min-exam {least:g}",
        "raise `training.num_epochs` or `training.lora_r`",
        exam=exam,
    )
