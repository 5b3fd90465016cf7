"""A runner: the job leaves as JSON, as it would for another machine, and the result comes back."""

import json

from dlm_core import hookimpl
from dlm_core.api import Runner, TrainJob


class Away(Runner):
    name = "away"

    def run(self, trainer, job):
        letter = job.work / "job.json"
        letter.write_text(json.dumps(job.to_json()))
        arrived = TrainJob.from_json(json.loads(letter.read_text()), job.control)
        result = trainer.train(arrived)
        (result.adapter / "default" / "came-back.json").write_text(json.dumps({"rows": len(arrived.rows)}))
        return result


@hookimpl
def dlm_runners():
    return [Away()]
