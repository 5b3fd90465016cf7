"""A router by words: what an adapter's own sections talk about, it answers."""

import json

from dlm_core import hookimpl
from dlm_core.api import Route, Router, Trainer, TrainResult


class Topics(Trainer):
    phase = "topics"
    consumes = frozenset({"chat"})
    beside = True

    def wanted(self, doc, rows):
        return len(doc.config["training"]["adapters"] or ()) > 1

    def train(self, job):
        words = {name: [] for name in job.config["training"]["adapters"]}
        for row in job.rows:
            words[row.adapters[0]] += row.question[-1].text.split()
        (job.out / "_topics").mkdir(parents=True)
        (job.out / "_topics" / "words.json").write_text(json.dumps(words))
        return TrainResult(job.out)


class ByTopic(Router):
    name = "topics"
    help = "Let words decide who answers."

    def route(self, folder, model, prompts):
        words = json.loads((folder / "words.json").read_text())
        for prompt in prompts:
            known = {name: 1 + len(set(some) & set(prompt[-1].text.split())) ** 4 for name, some in words.items()}
            yield Route({name: count / sum(known.values()) for name, count in known.items()}, "their words")

    def fixed(self, folder):
        words = json.loads((folder / "words.json").read_text())
        return Route(dict.fromkeys(words, 1 / len(words)), "as many words")


@hookimpl
def dlm_trainers():
    return [Topics()]


@hookimpl
def dlm_routers():
    return [ByTopic()]
