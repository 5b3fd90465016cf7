"""What the null base learns: which word follows which, and the answers it was told.  Kept as safetensors."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from ...api import RunFailedError
from .words import VOCABULARY, Words, word_id

WEIGHTS = "adapter_model.safetensors"
#: Numbers in a memory.
CELLS = VOCABULARY * VOCABULARY


def _blank() -> array[float]:
    return array("f", bytes(4 * CELLS))


@dataclass(slots=True)
class Memory:
    """`pairs[a · VOCABULARY + b]` is how often b was learned after a; fresh, every word is equally likely."""

    pairs: array[float] = field(default_factory=_blank)
    answers: dict[str, str] = field(default_factory=dict)

    def learn(self, words: Words, weight: float) -> None:
        """Count each learned word after the one before it, `weight` times."""
        for before, word in _steps(words):
            self.pairs[before * VOCABULARY + word] += weight

    def losses(self, words: Words) -> list[float]:
        """-log p of each learned word after the one before it, in nats, with add-one smoothing."""
        return [-self.log_probabilities(before)[word] for before, word in _steps(words)]

    def log_probabilities(self, before: int) -> list[float]:
        """log p of every word id after the word id `before`."""
        counts = self.pairs[before * VOCABULARY : (before + 1) * VOCABULARY]
        total = math.log(sum(counts) + VOCABULARY)
        return [math.log(count + 1) - total for count in counts]


def blend(memories: Mapping[str, Memory], weights: Mapping[str, float]) -> Memory:
    """The weighted sum of what some memories counted, with the answers of the one of the largest weight."""
    heaviest = max(weights, key=lambda name: weights[name])
    found = Memory(answers=memories[heaviest].answers)
    parts = [(memories[name].pairs, weight) for name, weight in weights.items() if weight]
    found.pairs = array("f", (sum(pairs[at] * weight for pairs, weight in parts) for at in range(CELLS)))
    return found


def _steps(words: Words) -> list[tuple[int, int]]:
    ids = [0, *(word_id(word) for word, _ in words)]
    return [(before, here) for before, here, (_, learned) in zip(ids, ids[1:], words, strict=False) if learned]


def question_key(rendered: str) -> str:
    """The name under which a question's answer is kept."""
    return hashlib.sha256(rendered.encode()).hexdigest()[:16]


def save(memory: Memory, folder: Path, base: str) -> None:
    """Write an adapter folder: `adapter_config.json` and `adapter_model.safetensors`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "NULL", "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
    pairs = array("f", memory.pairs)
    if sys.byteorder == "big":
        pairs.byteswap()
    answers = json.dumps(memory.answers, sort_keys=True).encode()
    tensors = {"pairs": ("F32", [VOCABULARY, VOCABULARY], pairs.tobytes()), "answers": ("U8", [len(answers)], answers)}
    (folder / WEIGHTS).write_bytes(safetensors(tensors))


def load(folder: Path) -> Memory:
    """The memory in an adapter folder.

    An adapter that another trainer wrote is read too: its bytes, over and over, stand for the pairs, so that it
    answers otherwise than the base unless all of it is zero.  Raises RunFailedError for a file that is none.
    """
    try:
        tensors = _read(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFailedError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    memory = Memory()
    if len(tensors.get("pairs", b"")) == 4 * CELLS:
        memory.pairs = array("f", tensors["pairs"])
        if sys.byteorder == "big":
            memory.pairs.byteswap()
        memory.answers = json.loads(tensors["answers"])
    elif data := b"".join(tensors[name] for name in sorted(tensors)):
        memory.pairs = array("f", islice(cycle(byte / 256 for byte in data), CELLS))
    return memory


def safetensors(tensors: Mapping[str, tuple[str, Sequence[int], bytes]]) -> bytes:
    """A safetensors file of name -> (dtype, shape, little-endian data)."""
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in tensors.values())


def _read(path: Path) -> dict[str, bytes]:
    blob = path.read_bytes()
    start = 8 + int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8:start])
    found = {name: tensor["data_offsets"] for name, tensor in header.items() if name != "__metadata__"}
    return {name: blob[start + begin : start + end] for name, (begin, end) in found.items()}
