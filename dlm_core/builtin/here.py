"""The runner that trains in this process."""

from __future__ import annotations

from ..api import Runner, Trainer, TrainJob, TrainResult


class Here(Runner):
    """Calls the trainer; nothing more."""

    name = "here"

    def run(self, trainer: Trainer, job: TrainJob) -> TrainResult:
        return trainer.train(job)
