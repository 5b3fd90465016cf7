"""Training in rounds: every phase in its order, and a short second round for what the first one lost or missed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .api import (
    AdapterSettings,
    Control,
    Event,
    RunFailedError,
    Runner,
    Trainer,
    TrainingSettings,
    TrainJob,
    TrainResult,
)
from .memory import Sizes, identity, second_epochs, second_round, work_of_run
from .planning.peak import forget_peak, peak_memory

if TYPE_CHECKING:
    from .exam import Comparison, Exam
    from .plugins import Plugins
    from .preparing import Options, Ready
    from .recording import Recorder
    from .store import Run

#: The runner that trains in this process, whose memory is then the training's.
HERE = "here"

#: What the second round is called, in its folder and in its events.
SECOND = "again"


def second_of(ready: Ready, exam: Exam, compared: Comparison | None) -> Ready | None:
    """What a second round does, None when there is no need for one: nothing was lost, and what is new is known.

    A run of few steps, as --max-steps asks, has none.
    """
    if not ready.memory.sampled or compared is None or ready.settings.max_steps is not None:
        return None
    places = {(row.section_id, row.index): identity(row) for row in ready.train}
    wrong = [answer for answer in exam.answers if answer.side == "trained" and not answer.exact]
    failed = {places[answer.section_id, answer.index] for answer in wrong}
    lost = {places[answer.section_id, answer.index] for answer in compared.lost}
    missed = frozenset(lost | (failed & ready.memory.delta.to_learn))
    if not missed:
        return None
    memory = second_round(ready.memory, ready.train, missed, ready.settings.seed, ready.settings.num_epochs)
    assigned = tuple(phase.assigned for phase in ready.all_work)
    work = work_of_run(memory, assigned, Sizes.of(ready.all_work), lambda rows: ())
    return replace(ready, memory=memory, work=work)


def _settings(ready: Ready, trainer: Trainer) -> TrainingSettings:
    """The settings of a phase; a second round has fewer epochs."""
    settings = trainer.settings(ready.doc, ready.settings)
    if not ready.memory.second:
        return settings
    return replace(settings, num_epochs=second_epochs(settings.num_epochs))


def train_watched(
    ready: Ready,
    plugins: Plugins,
    options: Options,
    control: Control,
    run: Run,
    recorder: Recorder,
    start: Path | None = None,
) -> tuple[dict[str, float], Path]:
    """The metrics and the adapters of a round.  A second round starts from `start`, what the first one left.

    Its time and its peak memory are taken: a trainer's own measure goes before that of this process.
    """
    metrics: dict[str, float] = {}
    here = options.runner == HERE
    recorder.start_training()
    forget_peak()
    try:
        metrics, adapter = _train(ready, plugins, options, control, run, start)
    finally:
        recorder.end_training(metrics, peak_memory() if here else None)
    return metrics, adapter


def _tell_with_phase(control: Control, phase: str, event: Event) -> None:
    control.tell(Event(event.kind, {**event.data, "phase": phase}))


def _train(
    ready: Ready, plugins: Plugins, options: Options, control: Control, run: Run, second: Path | None
) -> tuple[dict[str, float], Path]:
    """Every phase in order, each starting from the adapter the one before left."""
    runner = plugins.get(plugins.runners, options.runner)
    start = second or ready.memory.start
    place = SECOND if second else ""
    metrics: dict[str, float] = {}
    for number, phase in enumerate((*ready.work, *ready.beside)):
        name = phase.trainer.phase
        called = f"{name}, {SECOND}" if second else name
        job = TrainJob(
            phase=name,
            base=ready.base,
            rows=phase.rows,
            validation=phase.validation,
            adapters=_begun(ready, number),
            settings=_settings(ready, phase.trainer),
            precision=ready.precision,
            batch=ready.plan.batch,
            system_prompt=ready.doc.system_prompt,
            config=ready.doc.config,
            start=start,
            out=run.out / place / name,
            work=run.work / place / name,
            resume=options.resume,
            long_rows=options.long_rows,
            fingerprint=ready.fingerprint,
            turns=phase.turns,
            control=Control(partial(_tell_with_phase, control, called), control.stop_requested),
        )
        result = _run_phase(runner, phase.trainer, job, plugins)
        if phase.trainer.beside and start is not None:
            _carry_over(start, result.adapter)
        start = result.adapter
        metrics |= {f"{called}.{key}": value for key, value in result.metrics.items()}
    if start is None:
        raise RunFailedError("no phase had anything to train")
    return metrics, start


def _carry_over(start: Path, adapter: Path) -> None:
    """Copy the adapters that a phase beside did not touch, and what other such phases left."""
    for folder in start.iterdir():
        if folder.is_dir() and not (adapter / folder.name).exists():
            shutil.copytree(folder, adapter / folder.name)


def _begun(ready: Ready, number: int) -> dict[str, AdapterSettings]:
    """The adapters of phase `number`: all but those whose first rows are a later phase's."""
    adapters = ready.memory.taught(ready.adapters)
    if ready.memory.start:
        return adapters
    soon, later = (
        {name for phase in phases for row in phase.rows for name in row.adapters}
        for phases in (ready.work[: number + 1], ready.work[number + 1 :])
    )
    return {name: settings for name, settings in adapters.items() if name in soon or name not in later}


def _run_phase(runner: Runner, trainer: Trainer, job: TrainJob, plugins: Plugins) -> TrainResult:
    job.out.mkdir(parents=True, exist_ok=True)
    job.work.mkdir(parents=True, exist_ok=True)
    try:
        return runner.run(trainer, job)
    except BaseException as error:
        error.add_note(f"in phase {trainer.phase!r} of plugin {plugins.trainers.owner(trainer.phase).label}")
        raise
    finally:
        if job.base.cache:
            job.base.cache.tell(job.control, "train")
