"""The null engine: runs every base, for tests.  It counts words in place of tokens and looks answers up."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...api import (
    BaseMissingError,
    BaseModel,
    BaseShape,
    Blend,
    Engine,
    LocatedBase,
    Message,
    OpenModel,
    Precision,
    Row,
    RowSize,
    Sampling,
    Score,
)
from . import memory
from .words import VOCABULARY, Wording, word_id

if TYPE_CHECKING:
    from ...plugins import Plugins

#: What a base says to a question that nobody taught it.
NO_ANSWER = "I do not know."


class NullEngine(Engine):
    """Stands in for any engine and any base; what a base is on the hub is made on the spot when it is fetched."""

    name = "null"

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins

    def can(self, base: BaseModel) -> bool:
        return True

    def is_here(self, base: BaseModel) -> bool:
        return (_folder(base) / "config.json").is_file()

    def locate(self, base: BaseModel, *, fetch: bool) -> LocatedBase:
        folder = _folder(base)
        if base.location.startswith("hub:") and fetch:
            make_base(folder, base)
        if not self.is_here(base):
            raise BaseMissingError(f"the base model {base.key} is not in {folder}", f"dlm bases --fetch {base.key}")
        shape = BaseShape("null", VOCABULARY**2, 1, 16, 32, VOCABULARY, base.context or 4096, 1, 1, 4)
        return LocatedBase(base, folder, shape, hashlib.sha256((folder / "config.json").read_bytes()).hexdigest())

    def measure(
        self, base: LocatedBase, rows: Sequence[Row], system_prompt: str | None, sequence_len: int
    ) -> list[RowSize]:
        wording = Wording(self.plugins, base.model.accepts)
        found = [wording.read(row, system_prompt) for row in rows]
        return [
            RowSize(len(words), sum(learned for _, learned in words), max(1, math.ceil(len(words) / sequence_len)))
            for words in found
        ]

    def open(
        self, base: LocatedBase, adapters: Path | None, precision: Precision, system_prompt: str | None
    ) -> OpenModel:
        return NullOpenModel(Wording(self.plugins, base.model.accepts), adapters, system_prompt)


class NullOpenModel(OpenModel):
    """A base's wording, and one memory for each adapter; `None` is a memory of nothing.

    Of a blend, pairs are the weighted sum, and answers those of the adapter with the largest weight.
    """

    blends = True

    def __init__(self, wording: Wording, adapters: Path | None, system_prompt: str | None) -> None:
        self.wording, self.system_prompt = wording, system_prompt
        folders = sorted(path.parent for path in adapters.glob(f"*/{memory.WEIGHTS}")) if adapters else []
        self.memories: dict[str | None, memory.Memory] = {folder.name: memory.load(folder) for folder in folders}
        self.memories[None] = memory.Memory()

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        for place, prompt in enumerate(prompts):
            answers = self._memory(adapter, place).answers
            said = answers.get(memory.question_key(self.wording.render(prompt, None, True)), NO_ANSWER)
            words = said.split()
            yield said if len(words) <= sampling.max_tokens else " ".join(words[: sampling.max_tokens])

    def stream(
        self, prompt: Sequence[Message], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        for answer in self.generate([prompt], sampling, adapter):
            for number, word in enumerate(answer.split(" ")):
                yield f" {word}" if number else word

    def score(self, rows: Sequence[Row], adapter: str | Blend | None = "default") -> Iterator[Score]:
        for place, row in enumerate(rows):
            losses = self._memory(adapter, place).losses(self.wording.read(row, self.system_prompt))
            yield Score(sum(losses), len(losses))

    def render(self, messages: Sequence[Message], *, answer_next: bool = True) -> str:
        return self.wording.render(messages, self.system_prompt, answer_next)

    def encode(self, text: str) -> list[int]:
        return [word_id(word) for word in text.split()]

    def logits(self, ids: Sequence[int], adapter: str | Blend | None = "default") -> list[list[float]]:
        return [self._memory(adapter, 0).log_probabilities(one) for one in ids]

    def features(self, texts: Sequence[str]) -> list[list[float]]:
        counts = [Counter(self.encode(text)) for text in texts]
        return [[float(count[one]) for one in range(VOCABULARY)] for count in counts]

    def _memory(self, adapter: str | Blend | None, place: int) -> memory.Memory:
        """What answers the prompt at `place`."""
        if not isinstance(adapter, Blend):
            return self.memories[adapter]
        weights = adapter.of(place)
        return memory.blend({name: self.memories[name] for name in weights}, weights)

    def close(self) -> None:
        self.memories.clear()


def make_base(folder: Path, base: BaseModel) -> None:
    """The files of a base: the null base needs none but its name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "null", "key": base.key}) + "\n", encoding="utf-8")


def _folder(base: BaseModel) -> Path:
    from ...files import default_home

    if base.location.startswith("hub:"):
        return default_home() / "null-bases" / base.key.replace("/", "--").replace(":", "-")
    return Path(base.location)
