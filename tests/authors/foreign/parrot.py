"""An engine with a base of its own: `parrot` repeats what it was asked, and knows once it was fed."""

from pathlib import Path

from dlm_core import hookimpl
from dlm_core.api import BaseModel, BaseShape, Engine, LocatedBase, OpenModel, RowSize, Score


class Perch(OpenModel):
    def __init__(self, adapters):
        self.ate = {path.name for path in adapters.iterdir()} if adapters else set()

    def generate(self, prompts, sampling, adapter="default"):
        return (f"{prompt[-1].text}{'!' if adapter in self.ate else ''}" for prompt in prompts)

    def stream(self, prompt, sampling, adapter="default"):
        return self.generate([prompt], sampling, adapter)

    def score(self, rows, adapter="default"):
        return (Score(0.5 if adapter in self.ate else 2.0, 1) for _ in rows)

    def render(self, messages, *, answer_next=True):
        return " ".join(message.text for message in messages)

    def encode(self, text):
        return [ord(letter) for letter in text]

    def logits(self, ids, adapter="default"):
        return [[0.0] for _ in ids]

    def close(self):
        self.ate.clear()


class Parrot(Engine):
    name = "a-parrot"

    def can(self, base):
        return base.location == "parrot:grey"

    def is_here(self, base):
        return True

    def locate(self, base, *, fetch):
        return LocatedBase(base, Path(__file__).parent, BaseShape("bird", 9, 1, 1, 1, 9, 99, 1, 1, 4), base.location)

    def measure(self, base, rows, system_prompt, sequence_len):
        return [RowSize(9, 9) for _ in rows]

    def open(self, base, adapters, precision, system_prompt):
        return Perch(adapters)


dlm_engines = hookimpl(lambda: [Parrot()], specname="dlm_engines")
dlm_base_models = hookimpl(lambda: [BaseModel("parrot", "parrot:grey")], specname="dlm_base_models")
