"""An engine and a trainer of a few lines, so that a whole run takes milliseconds: what matters is what is on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dlm_core import hookimpl
from dlm_core.api import (
    BaseModel,
    BaseShape,
    Engine,
    LocatedBase,
    OpenModel,
    Precision,
    Row,
    RowSize,
    Sampling,
    Score,
    Trainer,
    TrainJob,
    TrainResult,
)

from .store.samples import floats, safetensors

#: Called by the trainer after its checkpoint is written.
after_checkpoint: list[Callable[[TrainJob], None]] = []


class TinyTrainer(Trainer):
    """Three steps: a checkpoint in the middle, then weights made of the rows' hashes.  Nothing is synced."""

    phase = "sft"
    consumes = frozenset({"text", "chat"})

    def wanted(self, doc: Any, rows: Sequence[Row]) -> bool:
        return bool(rows)

    def train(self, job: TrainJob) -> TrainResult:
        for step in (1, 2, 3):
            job.control.emit("step", step=step, steps=3, loss=3.0 / step)
            if step == 2:
                folder = job.work / "step-2"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "state.safetensors").write_bytes(safetensors({"m": ("F32", floats(0.5))}))
                (folder / "state.json").write_text('{"step": 2}')
                for call in after_checkpoint:
                    call(job)
        for name in job.adapters:
            out = job.out / name
            out.mkdir(parents=True)
            values = [int(row.hash[:4], 16) / 65536 for row in job.rows]
            (out / "adapter_model.safetensors").write_bytes(safetensors({"lora_A": ("F32", floats(*values))}))
            (out / "adapter_config.json").write_text(json.dumps({"r": job.adapters[name].lora_r}))
        return TrainResult(job.out, {"loss": 1.0})


class TinyModel(OpenModel):
    """Knows every answer when there is an adapter."""

    def generate(self, prompts: Sequence[Any], sampling: Sampling, adapter: str | None = "default") -> Iterator[str]:
        yield from ("yes" if adapter else "no" for _ in prompts)

    def stream(self, prompt: Any, sampling: Sampling, adapter: str | None = "default") -> Iterator[str]:
        yield "yes" if adapter else "no"

    def score(self, rows: Sequence[Row], adapter: str | None = "default") -> Iterator[Score]:
        yield from (Score(1.0 if adapter else 4.0, 1) for _ in rows)

    def render(self, messages: Any, *, answer_next: bool = True) -> str:
        return " ".join(message.text for message in messages)

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def logits(self, ids: Sequence[int], adapter: str | None = "default") -> Any:
        return [[0.0] * 256 for _ in ids]

    def close(self) -> None:
        pass


class TinyEngine(Engine):
    name = "tiny-engine"

    def can(self, base: BaseModel) -> bool:
        return True

    def is_here(self, base: BaseModel) -> bool:
        return True

    def locate(self, base: BaseModel, *, fetch: bool) -> LocatedBase:
        return LocatedBase(base, Path(base.location), BaseShape("none", 1000, 1, 8, 16, 256, 512, 1, 1, 4), "b" * 64)

    def measure(self, base: LocatedBase, rows: Sequence[Row], system_prompt: Any, sequence_len: int) -> list[RowSize]:
        return [RowSize(10, 5) for _ in rows]

    def open(self, base: LocatedBase, adapters: Path | None, precision: Precision, system_prompt: Any) -> OpenModel:
        return TinyModel()


@hookimpl
def dlm_engines() -> list[Engine]:
    return [TinyEngine()]


@hookimpl
def dlm_trainers() -> list[Trainer]:
    return [TinyTrainer()]
