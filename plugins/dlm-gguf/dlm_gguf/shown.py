"""The document's own files, put before the exported model in llama.cpp: does it see in them what the engine sees?"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from dlm_core.api import ExportFailedError, ExportJob, Media, Message, Row, Sampling

from . import peer
from .parity import with_system

#: How many rows with files are asked about, and the most tokens of an answer.
ROWS, ANSWER_TOKENS = 8, 64
#: Least share of the engine's answers that llama.cpp's begin with, as a mean, where none is the same.  Pictures are
#: scaled a little otherwise there, so long answers of a large model may part; another picture's answer parts at once.
LEAST_COMMON = 0.25


@dataclass(frozen=True, slots=True)
class Shown:
    """Chats with files as llama.cpp's server takes them, and the engine's answers."""

    chats: Sequence[Sequence[dict[str, Any]]]
    answers: Sequence[str]
    most: int


def ask_engine(job: ExportJob) -> Shown | None:
    """The engine's answers about files; None where no row has one that llama.cpp could be shown."""
    mine = [row for row in job.rows if job.adapter.name in row.adapters and row.media and row.question]
    asked: list[tuple[Row, list[dict[str, Any]]]] = []
    for row in mine:
        if len(asked) < ROWS and (chat := _chat(job, row)) is not None:
            asked.append((row, chat))
    if not asked:
        return None
    with job.open() as model:
        most = max(len(model.encode(row.answer or "")) + 4 for row, _ in asked)
        most = min(most, ANSWER_TOKENS)
        sampling = Sampling(max_tokens=most)
        answers = list(model.generate([row.question or () for row, _ in asked], sampling, job.adapter.name))
    return Shown([chat for _, chat in asked], answers, most)


def compare(shown: Shown, model: Path, mmproj: Path, context: int) -> dict[str, Any]:
    """What to report of a file and its tower.  Raises ExportFailedError when llama.cpp sees something else."""
    request = {"mmproj": str(mmproj.resolve()), "chats": shown.chats, "most": shown.most, "context": context}
    with peer.running("dlm_gguf.server", model, request) as (reply, _):
        answers = [answer.strip() for answer in reply["answers"]]
    ours = [answer.strip() for answer in shown.answers]
    equal = sum(one == other for one, other in zip(ours, answers, strict=True))
    common = sum(_common(one, other) for one, other in zip(ours, answers, strict=True)) / len(ours)
    if not equal and common < LEAST_COMMON:
        raise ExportFailedError(
            f"shown the same file, llama.cpp answers {answers[0][:100]!r} instead of {ours[0][:100]!r}; of {len(ours)} "
            "answers none is the same",
            "Nothing was kept.  Please report this with the base's name.",
        )
    return {"equal": f"{equal}/{len(ours)}", "tokens": reply["tokens"]}


def _common(ours: str, theirs: str) -> float:
    """The share of `ours` that `theirs` begins with."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
    return same / max(len(ours), 1)


def _chat(job: ExportJob, row: Row) -> list[dict[str, Any]] | None:
    found = []
    for message in with_system(row, job.system_prompt):
        content = _content(job, message)
        if content is None:
            return None
        found.append({"role": message.role, "content": content})
    return found


def _content(job: ExportJob, message: Message) -> str | list[dict[str, Any]] | None:
    if not message.media:
        return message.text
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if not isinstance(part, Media):
            parts.append({"type": "text", "text": part.text})
        elif (file := job.as_file(part)) is None:
            return None
        else:
            parts.append(file_part(*file))
    return parts


def file_part(mime: str, data: bytes) -> dict[str, Any]:
    """As the chat interface that llama.cpp took over from OpenAI wants it."""
    text = base64.b64encode(data).decode("ascii")
    kind, _, suffix = mime.partition("/")
    if kind == "audio":
        return {"type": "input_audio", "input_audio": {"data": text, "format": suffix}}
    return {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{text}"}}
