"""A config block and a trainer: `training: repeat: {times: 3}` goes over the adapter once more."""

import shutil

from dlm_core import hookimpl
from dlm_core.api import ConfigBlock, Trainer, TrainResult


class RepeatBlock(ConfigBlock):
    path = "training.repeat"

    def model(self):
        from pydantic import BaseModel, ConfigDict

        class Repeat(BaseModel):
            model_config = ConfigDict(extra="forbid", frozen=True)
            times: int = 1

        return Repeat


class Repeat(Trainer):
    phase = "repeat"
    after = ("sft",)
    consumes = frozenset({"text", "chat"})

    def wanted(self, doc, rows):
        return doc.wrote("training.repeat")

    def train(self, job):
        shutil.copytree(job.start, job.out, dirs_exist_ok=True)
        times = job.config["training"]["repeat"]["times"]
        job.control.emit("phase", adapter="default", rows=len(job.rows), steps=times)
        return TrainResult(job.out, {"times": float(times)})


dlm_config_blocks = hookimpl(lambda: [RepeatBlock()], specname="dlm_config_blocks")
dlm_trainers = hookimpl(lambda: [Repeat()], specname="dlm_trainers")
