"""Watch a run's events: keep them in the runs database, count what was really done, and make the page about the run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api import Control, DlmError, Event
from .manifest import exam_rows
from .planning.reality import Compared, Reality, measured_speed
from .report.record import Curve, Point, RunRecord, curve_title
from .store.generations import now
from .training import SECOND

if TYPE_CHECKING:
    from .exam import Exam
    from .preparing import Ready
    from .report.record import State
    from .store import Run, Store


class Recorder:
    """What is known of one run while it goes on.  `see` takes its events and passes them on to `control`."""

    def __init__(self, run: Run, ready: Ready, store: Store, control: Control, resumed: bool) -> None:
        self.run, self.ready, self._control = run, ready, control
        self.curves: dict[str, Curve] = {}
        self.messages: list[str] = []
        self.exam: Exam | None = None
        self.compared: Mapping[str, Any] | None = None
        self.peak: float | None = None
        self._rows: dict[str, int] = {}
        self._began = self._ended = time.monotonic()
        if resumed:
            self._take_over(store)
        self._earlier = self._in_steps()
        run.describe(path=str(ready.doc.path), reality=self.reality().to_json())

    def see(self, event: Event) -> None:
        data = event.data
        if event.kind in ("step", "eval"):
            title = self._curve(data).title
            self.run.record(event.kind, **{**data, "phase": title})
            self._note(event.kind, data)
        elif event.kind == "phase":
            self._curve(data)
            first = curve_title(str(data["phase"]).removesuffix(f", {SECOND}"), str(data.get("adapter", "default")))
            self._rows[first] = max(self._rows.get(first, 0), data.get("rows", 0))
        elif event.kind == "measure":
            self._curve(data).measured[str(data["when"])] = data["values"]
        elif event.kind == "exam":
            self.exam, self.compared = data["exam"], data.get("compared")
            self.run.record("exam", rows=exam_rows(data["exam"]))
        elif event.kind == "warning":
            self.messages.append(str(data.get("message", "")))
        self._control.tell(event)

    def start_training(self) -> None:
        """Note that a round of training begins; a second one adds to the first."""
        self._earlier += self._ended - self._began
        self._began = self._ended = time.monotonic()

    def end_training(self, metrics: Mapping[str, float], process_peak: int | None) -> None:
        """Note when training ended and its peak memory: as its trainers measured it, or else as this process did."""
        self._ended = time.monotonic()
        told = [value for name, value in metrics.items() if name.split(".")[-1].split("/")[-1] == "peak_memory"]
        self.peak = max([*told, *([self.peak] if self.peak else [])], default=process_peak)

    def reality(self) -> Reality:
        """What the plan said beside what was done so far."""
        plan, details = self.ready.plan, self.ready.plan.details
        points = [point for curve in self.curves.values() for point in curve.points.values()]
        told = any(point.tokens for point in points)
        wall = self._earlier + self._ended - self._began
        return Reality(
            rows=Compared(details["rows"], sum(self._rows.values()) if self._rows else None),
            tokens=Compared(details["tokens"], sum(point.tokens for point in points) if told else None),
            steps=Compared(plan.steps, len(points)),
            memory=Compared(sum(plan.memory.values()), self.peak),
            seconds=Compared(plan.seconds, wall if points else None),
            in_steps=self._in_steps(),
        )

    def finish(self, state: State, version: int | None = None, error: BaseException | None = None) -> Path | None:
        """Note how the run went and write the page about it; trouble with either is told and stops nothing."""
        reality = self.reality()
        speed = measured_speed(self.ready.plan, self.ready.base, reality)
        known = {"path": str(self.ready.doc.path), "reality": reality.to_json()}
        try:
            self.run.describe(**known, **({"speed": speed.to_json()} if speed else {}))
            path = self.run.write_report(self._page(state, reality, version, error))
        except Exception as trouble:  # a report is no reason to lose a run
            reason = trouble.message if isinstance(trouble, DlmError) else f"{type(trouble).__name__}: {trouble}"
            self._control.emit("warning", message=f"the report of run {self.run.id} was not written: {reason}")
            return None
        self._control.emit("report", run=self.run.id, state=state, path=str(path))
        return path

    def _page(self, state: State, reality: Reality, version: int | None, error: BaseException | None) -> str:
        from .report import render

        return render(self.record(state, reality, version, error))

    def record(
        self, state: State, reality: Reality, version: int | None = None, error: BaseException | None = None
    ) -> RunRecord:
        """Everything that is known, as values."""
        ready, opening = self.ready, self.run.manifest
        return RunRecord(
            state=state,
            run=self.run.id,
            version=version,
            started=opening.get("started", ""),
            finished=now(),
            doc=ready.doc,
            text=ready.text,
            sides=_sides(ready),
            base=ready.base,
            adapters=ready.adapters,
            settings=ready.settings,
            plan=ready.plan,
            curves=tuple(self.curves.values()),
            reality=reality,
            versions=opening.get("versions", {}),
            exam=self.exam or getattr(error, "exam", None),
            compared=self.compared,
            warnings=(*ready.doc.warnings, *ready.plan.problems),
            messages=tuple(self.messages),
            problem=_reason(error),
            hint=getattr(error, "hint", None) or "",
        )

    def _curve(self, data: Mapping[str, Any]) -> Curve:
        phase, adapter = str(data["phase"]), str(data.get("adapter", "default"))
        return self.curves.setdefault(curve_title(phase, adapter), Curve(phase, adapter))

    def _note(self, kind: str, data: Mapping[str, Any]) -> None:
        curve, step = self._curve(data), int(data["step"])
        if kind == "step":
            curve.points[step] = _point(data)
        elif data.get("validation_loss") is not None:
            curve.validation[step] = float(data["validation_loss"])

    def _take_over(self, store: Store) -> None:
        """The steps of the same run before it was interrupted."""
        for kind, rows in (("step", store.runs.steps(self.run.id)), ("eval", store.runs.evals(self.run.id))):
            for row in rows:
                self._note(kind, {**row, "phase": row["phase"].partition(" of ")[0]})

    def _in_steps(self) -> float:
        """Seconds that steps took; each curve's last step knows the sum of its own."""
        return sum(max(point.seconds for point in curve.points.values()) for curve in _begun(self.curves.values()))


def _begun(curves: Iterable[Curve]) -> Iterable[Curve]:
    return (curve for curve in curves if curve.points)


def _point(data: Mapping[str, Any]) -> Point:
    return Point(
        int(data["step"]),
        data.get("loss"),
        data.get("learning_rate"),
        int(data.get("tokens") or 0),
        float(data.get("seconds") or 0.0),
    )


def _sides(ready: Ready) -> dict[str, str]:
    """Section id -> where its rows went; a section with rows on several sides counts as trained."""
    sides = {row.section_id: "exam" for row in ready.exam_only}
    sides |= {row.section_id: "validation" for row in ready.validation}
    return sides | {row.section_id: "trained" for row in ready.train}


def _reason(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    return error.message if isinstance(error, DlmError) else f"{type(error).__name__}: {error}"
