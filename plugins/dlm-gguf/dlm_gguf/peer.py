"""Ask llama.cpp about a file, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlm_core.api import ExportFailedError


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask: ids of `texts`, logits along `sequences`, greedy answers to (ids, most tokens), rendered `chats`."""

    texts: Sequence[str]
    sequences: Sequence[Sequence[int]]
    prompts: Sequence[tuple[Sequence[int], int]]
    chats: Sequence[Sequence[dict[str, str]]]


@dataclass(frozen=True, slots=True, eq=False)
class Replies:
    """llama.cpp's side; `logits` is (all tokens of all sequences, vocabulary).

    `answer_ids` are the answers' tokens, with the one that ends an answer.
    """

    vocabulary: int
    ids: list[list[int]]
    answers: list[str]
    answer_ids: list[list[int]]
    chats: list[str]
    logits: NDArray[np.float32]


def ask(model: Path, questions: Questions, lora: Path | None = None) -> Replies:
    """Load `model` in llama.cpp, with `lora` over it, and ask.  Raises ExportFailedError with llama.cpp's own words."""
    request: dict[str, Any] = {
        "lora": str(lora.resolve()) if lora else None,
        "texts": questions.texts,
        "sequences": questions.sequences,
        "prompts": questions.prompts,
        "chats": questions.chats,
    }
    with running("dlm_gguf.llama", model, request) as (answer, folder):
        logits = folder / "logits.npy"
        found = np.load(logits) if logits.is_file() else np.empty((0, answer["vocabulary"]), np.float32)
    return Replies(logits=found, **answer)


@contextmanager
def running(module: str, model: Path, request: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Path]]:
    """Its reply, and the folder that it was left in.  Raises ExportFailedError with llama.cpp's own words."""
    with tempfile.TemporaryDirectory(prefix="dlm-gguf-") as name:
        folder = Path(name)
        request = {"model": str(model.resolve()), **request}
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        done = subprocess.run(
            [sys.executable, "-m", module, "."],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            start_new_session=True,  # a terminal's Ctrl-C is for the caller, who decides when to stop
        )
        reply = folder / "reply.json"
        if done.returncode or not reply.is_file():
            raise ExportFailedError(
                f"llama.cpp does not run {model.name.removesuffix('.part')}: {_reason(done.stderr, done.returncode)}"
            )
        yield json.loads(reply.read_text("utf-8")), folder


def _reason(log: bytes, status: int) -> str:
    """The exception that ended the process, and the first line of llama.cpp's log that speaks of an error."""
    lines = [line.strip() for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    own = [line for line in lines if "RuntimeError" not in line]
    telling = [line for line in own if any(word in line.lower() for word in ("error", "assert", "failed"))]
    ending = lines[-1].removeprefix("RuntimeError: ") if lines else f"the process ended with status {status}"
    return "; ".join(dict.fromkeys([ending, *telling[:1]]))
