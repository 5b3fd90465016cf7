"""Tell what a run is doing: a live bar at a terminal, plain lines elsewhere, JSON lines on request."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import hookimpl
from ..api import Event
from ..diagnostics import one_line
from .terminal import JSON_SCHEMA, bytes_text, is_live, json_line, seconds_text, wants_color

if TYPE_CHECKING:
    from ..plugins import Plugins

#: Seconds between two lines about steps where nothing moves.
QUIET_SECONDS = 15.0


class Reporter:
    """Common ground of the three reporters: an observer that is also a context manager and keeps the time."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.from_cache = self.tokenized = 0

    def on_cycle(self, data: Any) -> None:
        self.started = time.monotonic()
        self.from_cache = self.tokenized = 0

    def on_cache(self, data: Any) -> None:
        self.from_cache += data["hits"]
        self.tokenized += data["misses"]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @hookimpl
    def dlm_event(self, event: Event) -> None:
        handler = getattr(self, f"on_{event.kind}", None)
        if handler:
            handler(event.data)

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class PlainReporter(Reporter):
    """One line for each thing worth knowing; steps at most every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._said = 0.0
        self._pace = Pace()

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def on_document(self, data: Any) -> None:
        for warning in data["warnings"]:
            self.say(one_line(warning, Path(data["path"]), color=wants_color(sys.stderr)))
        self.say(f"document   {data['sections']} sections, {data['rows']} rows")

    def on_cycle(self, data: Any) -> None:
        super().on_cycle(data)
        if data["changed"]:
            more = f" and {len(data['changed']) - 1:,} more" if len(data["changed"]) > 1 else ""
            self.say(f"\nsaved      {data['changed'][0]}{more}")

    def on_waiting(self, data: Any) -> None:
        count = data["files"]
        files = f" and {count:,} file{'' if count == 1 else 's'} of its sources" if count else ""
        self.say(f"watching   {data['document']}{files}; Ctrl-C ends it")

    def on_secrets(self, data: Any) -> None:
        for name in data["files"]:
            self.say(f"secret     {name} is read, as --allow-secret asks")

    def on_plan(self, data: Any) -> None:
        for line in plan_lines(data["plan"], data["base"].model.key, data["adapters"]):
            self.say(line)

    def on_warning(self, data: Any) -> None:
        self.say(f"warning    {data['message']}{'; ' + data['hint'] if data.get('hint') else ''}")

    def on_abandoned(self, data: Any) -> None:
        self.say(f"warning    run {data['run']} was interrupted and is given up now; --resume would have gone on")

    def on_unchanged(self, data: Any) -> None:
        self.say(f"nothing changed since version {data['version']}: no training needed")

    def on_phase(self, data: Any) -> None:
        self._pace = Pace()
        adapter = (
            "" if data.get("adapter", "default") in ("default", data["phase"]) else f" of adapter {data['adapter']}"
        )
        self.say(f"training   phase {data['phase']}{adapter}: {data['rows']} rows, {data['steps']} steps")

    def on_step(self, data: Any) -> None:
        self._pace.add(data)
        if data["step"] == data["steps"] or self._is_time():
            self.say(step_line(data, self._pace))

    def _is_time(self) -> bool:
        """Whether enough time has gone by for another line; if so, it starts anew."""
        now = time.monotonic()
        if now - self._said < QUIET_SECONDS:
            return False
        self._said = now
        return True

    def on_eval(self, data: Any) -> None:
        if "validation_loss" in data and (data["epoch"] == data["epochs"] or self._is_time()):
            self.say(f"           epoch {data['epoch']}: validation loss {data['validation_loss']:.3f}")

    def on_measure(self, data: Any) -> None:
        values = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in data["values"].items())
        is_only = data.get("adapter") in (None, "default", data["phase"])
        adapter = "" if is_only else f" of adapter {data['adapter']}"
        self.say(f"measured   {data['when']} the phase{adapter}: {values}")

    def on_exam(self, data: Any) -> None:
        exact, asked = data["exam"].score()
        if asked:
            self.say(f"exam       {exact} of {asked} trained questions answered exactly")
        else:
            self.say("exam       no trained question to ask; sections were measured by their loss")
        if (compared := data.get("compared")) and compared["had"]:
            self.say(f"           of version {compared['version']}: kept {compared['kept']} of {compared['had']}")

    def on_second_round(self, data: Any) -> None:
        self.say(f"again      {data['lost']} old answers lost, {data['missed']} new ones missed: a short second round")

    def on_commit(self, data: Any) -> None:
        self.say(f"kept       version {data['version']}")

    def on_report(self, data: Any) -> None:
        if data["state"] != "committed":  # the summary of a whole run names it
            self.say(f"report     {data['path']}")

    def on_export_start(self, data: Any) -> None:
        self.say(f"exporting  {data['exporter']}")


class JsonReporter(Reporter):
    """One JSON object a line on stdout, for programs."""

    @hookimpl
    def dlm_event(self, event: Event) -> None:
        print(json_line({"event": event.kind, "v": JSON_SCHEMA, **event.data}), flush=True)


def attach_reporter(plugins: Plugins, as_json: bool, plot: bool = True) -> Reporter:
    """The reporter that suits this terminal, watching this process's events."""
    reporter: Reporter
    if as_json:
        reporter = JsonReporter()
    elif is_live(sys.stderr):
        from .live import LiveReporter

        reporter = LiveReporter(plot)
    else:
        reporter = PlainReporter()
    plugins.attach(reporter, "reporter")
    return reporter


@dataclass(slots=True)
class Pace:
    """How fast steps go, counted from the first that was seen: a resumed run brings its earlier seconds along."""

    tokens: int = 0
    steps: int = 0
    since: float | None = None
    seconds: float = 0.0

    def add(self, data: Any) -> None:
        if self.since is None:
            self.since = data["seconds"] if data["step"] > 1 else 0.0
        if data["seconds"] > self.since:
            self.tokens += data["tokens"]
            self.steps += 1
        self.seconds = data["seconds"] - self.since

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def left(self, steps: int) -> float:
        """Seconds for this many steps."""
        return steps * self.seconds / self.steps if self.steps else 0.0


def step_line(data: Any, pace: Pace) -> str:
    """One line about a training step."""
    left = seconds_text(pace.left(data["steps"] - data["step"]))
    rate = f"  {pace.rate:,.0f} tok/s" if pace.rate else ""
    return f"           step {data['step']}/{data['steps']}  loss {data['loss']:.3f}{rate}  {left} left"


def plan_lines(plan: Any, base: str, adapters: Any) -> list[str]:
    """The plan in a few lines: base, adapters, batch, steps, memory, time."""
    kinds = ", ".join(
        f"{'' if name == 'default' else name + ': '}{item.adapter} r{item.lora_r}" for name, item in adapters.items()
    )
    lines = [f"plan       {base} + {kinds}, {plan.precision.dtype} ({plan.precision.reason})"]
    lines += [f"           from {one.value}: {one.reason}" for one in plan.choices if one.name == "start"]
    for phase in plan.phases:
        held = f" and {phase.validation} to validate" if phase.validation else ""
        if not phase.epochs:
            lines.append(f"           {phase.phase}: {phase.rows} rows{held}, {phase.steps} steps")
            continue
        lines.append(
            f"           {phase.phase}: {phase.rows} rows{held}, {phase.tokens:,} tokens, "
            f"{phase.epochs} epochs, {phase.steps} steps of {plan.batch.micro}×{plan.batch.accumulate} rows"
        )
    names = {phase.phase for phase in plan.phases}
    for choice in plan.choices:
        if choice.name.partition(" ")[0] in names:
            lines.append(f"           {choice.name} {choice.value}: {choice.reason}")
    memory = sum(plan.memory.values())
    lines.append(
        f"           about {bytes_text(memory)} of {bytes_text(plan.hardware.free_memory)} free memory, "
        f"about {seconds_text(plan.seconds)} on {plan.hardware.cores} × {plan.hardware.name}"
    )
    return [*lines, *(f"           line {problem.span.line}: {problem.message}" for problem in plan.problems)]
