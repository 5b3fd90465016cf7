"""The phase `newplugin`: goes on from the adapter of the phase before.  Put the real training into `learn`."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlm_core.api import Document, InterruptedRunError, Row, RunFailedError, Trainer, TrainJob, TrainResult


class NewPlugin(Trainer):
    phase = "newplugin"
    after = ("sft",)
    consumes = frozenset({"text"})

    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool:
        return doc.wrote("training.newplugin") and any(row.kind in self.consumes for row in rows)

    def train(self, job: TrainJob) -> TrainResult:
        if job.start is None:
            raise RunFailedError("the phase newplugin goes on from an adapter, and no phase before it made one")
        words = 0
        for name in job.adapters:
            rows = [row for row in job.rows if name in row.adapters]
            shutil.copytree(job.start / name, job.out / name)
            words += learn(job, name, rows, job.out / name)
        return TrainResult(job.out, {"words": float(words)})


def learn(job: TrainJob, adapter: str, rows: Sequence[Row], folder: Path) -> int:
    """Count the words of the rows into the adapter's folder, a row a step; returns how many were counted."""
    shortest = job.config["training"]["newplugin"]["shortest"]
    counts: Counter[str] = Counter()
    started = time.monotonic()
    job.control.emit("phase", adapter=adapter, rows=len(rows), validation=0, steps=len(rows), epochs=1)
    for step, row in enumerate(rows, 1):
        words = list(long_words(row.data["text"], shortest))
        counts.update(words)
        job.control.emit(
            "step",
            adapter=adapter,
            step=step,
            steps=len(rows),
            epoch=1,
            loss=0.0,
            learning_rate=job.adapters[adapter].learning_rate,
            tokens=len(words),
            seconds=time.monotonic() - started,
        )
        if step < len(rows) and job.control.stop_requested():
            raise InterruptedRunError(f"stopped after step {step}", step=step)
    (folder / "words.json").write_text(json.dumps(dict(sorted(counts.items()))) + "\n", encoding="utf-8")
    job.control.emit(
        "phase_end", adapter=adapter, epoch=1, loss=0.0, steps=len(rows), seconds=time.monotonic() - started
    )
    return counts.total()


def long_words(text: str, shortest: int) -> Iterable[str]:
    """The words of a text that have at least so many letters, in lower case."""
    return (word for word in (part.strip(".,;:!?").lower() for part in text.split()) if len(word) >= shortest)
