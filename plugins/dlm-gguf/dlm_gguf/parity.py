"""The parity gate: an exported file must compute in llama.cpp what the engine computes, or it is not kept.

Three questions are asked of every file.  Are its token ids and its rendered chats those of training?  Does it
encode the right weights?  Do its logits follow the engine's?  The first and the last are put to llama.cpp itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from numpy.typing import NDArray

from dlm_core.api import ExportFailedError, ExportJob, Message, OpenModel, Row, Sampling, Text

from . import ggml
from .peer import Questions, Replies
from .texts import TEXTS
from .tokenizer import Tokenizer
from .write import Target

Floats = NDArray[np.float32]

#: How many prompts are answered and rendered, of all that are tokenized; how many positions get their logits compared.
ANSWERS, CHATS, POSITIONS, LONGEST, ANSWER_TOKENS = 24, 50, 384, 96, 128
LOGIT_BYTES = 64 << 20

#: Largest mean KL divergence in nats, and largest root mean square of the logits' error over their own spread.
#: Files with whole floats prove the mapping; the other limits only catch what is broken, as encoding itself is
#: checked weight by weight.
LIMITS: Mapping[str, tuple[float, float]] = {
    "F32": (1e-6, 1e-3),
    "F16": (1e-4, 1e-2),
    "BF16": (2e-2, 0.1),
    "Q8_0": (5e-2, 0.15),
    "Q6_K": (0.2, 0.3),
    "Q5_K_M": (0.3, 0.4),
    "Q4_K_M": (0.6, 0.6),
}
#: What an engine that computes in 16 bits adds to both.
ROUGH = (1e-2, 5e-2)

#: Files that must answer word for word as the engine does, unless two tokens are as good as equal where they part:
#: closer than this many times the largest error seen in a logit.
EXACT, TIE = ("F32", "F16"), 4

#: Largest error of the encoded weights, root mean square over root mean square; about three times that of normally
#: distributed weights, while misplaced rows give 1.4 and a wrong LoRA scale its own share.
ENCODING: Mapping[GGMLQuantizationType, float] = {
    GGMLQuantizationType.F32: 1e-3,
    GGMLQuantizationType.F16: 1e-3,
    GGMLQuantizationType.BF16: 6e-3,
    GGMLQuantizationType.Q8_0: 2e-2,
    GGMLQuantizationType.Q6_K: 6e-2,
    GGMLQuantizationType.Q5_K: 0.12,
    GGMLQuantizationType.Q5_0: 0.15,
    GGMLQuantizationType.Q5_1: 0.15,
    GGMLQuantizationType.Q4_K: 0.25,
}


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The engine's side of every question.  `rough` says that it computed in 16 bits.

    `lead(prompt, answer)` says by how many logits the engine's own choice leads where an answer first leaves it.
    """

    questions: Questions
    ids: list[list[int]]
    answers: list[str]
    chats: list[str]
    logits: Floats
    rough: bool
    lead: Callable[[Sequence[int], Sequence[int]], float]


def ask_engine(job: ExportJob, tokenizer: Tokenizer) -> Reference:
    """Open base and adapter in the engine and let it answer what llama.cpp will be asked."""
    name = job.adapter.name
    mine = [row for row in job.rows if name in row.adapters]
    rows = [row for row in mine if all(isinstance(part, Text) for m in row.messages for part in m.content)]
    asked = [row for row in rows if row.question]
    with job.open() as model:
        prompts = [model.render(row.question or ()) for row in asked]
        texts = [*prompts, *tokenizer.comparable(TEXTS)]
        ids = [model.encode(text) for text in texts]
        sequences = _sequences(model, rows, ids[len(prompts) :], len(tokenizer.tokens))
        logits = np.concatenate([np.asarray(model.logits(each, name), np.float32) for each in sequences])
        first = asked[:ANSWERS]
        most = max((len(model.encode(row.answer or "")) + 4 for row in first), default=0)
        most = min(most, ANSWER_TOKENS)
        answers = list(model.generate([row.question or () for row in first], Sampling(max_tokens=most), name))
    chats = [[_plain(message) for message in with_system(row, job.system_prompt)] for row in asked[:CHATS]]
    questions = Questions(texts, sequences, [(each, most) for each in ids[: len(first)]], chats)
    rough = not (logits.view(np.uint32) & 0x1FFF).any()
    return Reference(questions, ids, answers, prompts[:CHATS], logits, rough, partial(_lead, job))


def _lead(job: ExportJob, prompt: Sequence[int], answer: Sequence[int]) -> float:
    with job.open() as model:
        logits = np.asarray(model.logits([*prompt, *answer], job.adapter.name), np.float32)[len(prompt) - 1 : -1]
    for row, token in zip(logits, answer, strict=True):
        if int(row.argmax()) != token:
            return float(row.max() - row[token])
    return 0.0


def compare(quant: str, reference: Reference, replies: Replies, tokenizer: Tokenizer) -> dict[str, Any]:
    """What to report about a file.  Raises ExportFailedError, with the numbers, when it is outside tolerance."""
    _same_ids(reference, replies)
    chats = _same_chats(reference, replies, tokenizer)
    if replies.logits.shape != reference.logits.shape:
        raise ExportFailedError(
            f"llama.cpp sees {replies.vocabulary} tokens, the base has {reference.logits.shape[1]} embedding rows"
        )
    kl, spread, largest, agree = divergence(reference.logits, replies.logits)
    limits = [limit + (extra if reference.rough else 0) for limit, extra in zip(LIMITS[quant], ROUGH, strict=True)]
    equal = sum(ours == theirs for ours, theirs in zip(reference.answers, replies.answers, strict=True))
    if not (kl <= limits[0] and spread <= limits[1]):
        raise ExportFailedError(
            f"the {quant} file computes something else in llama.cpp: mean KL {kl:.2g} (limit {limits[0]:.2g}), "
            f"relative error of the logits {spread:.2g} (limit {limits[1]:.2g}), "
            f"top-1 equal at {agree}/{len(reference.logits)}, answers equal {equal}/{len(reference.answers)}",
            "Nothing was kept.  Please report this with the base's name.",
        )
    if quant in EXACT:
        _same_answers(reference, replies, max(TIE * largest, 1e-4))
    return {
        "token_ids_equal": f"{len(reference.ids)}/{len(reference.ids)}",
        **chats,
        "mean_kl": kl,
        "relative_error": spread,
        "max_logit_error": largest,
        "top1": f"{agree}/{len(reference.logits)}",
        "answers_equal": f"{equal}/{len(reference.answers)}",
    }


def divergence(ours: Floats, theirs: Floats) -> tuple[float, float, float, int]:
    """Mean KL in nats, relative error, largest error, equal top-1, of logits (positions, vocabulary).

    A constant added to all logits of a position changes nothing and counts for nothing.
    """
    kl = square = spread = largest = 0.0
    agree = 0
    for p, q in zip(ours.astype(np.float64), theirs.astype(np.float64), strict=True):
        log_p, log_q = p - _logsumexp(p), q - _logsumexp(q)
        kl += float(np.exp(log_p) @ (log_p - log_q))
        p, q = p - p.mean(), q - q.mean()
        square, spread = square + float((p - q) @ (p - q)), spread + float(p @ p)
        largest = max(largest, float(np.abs(p - q).max()))
        agree += int(p.argmax() == q.argmax())
    return max(kl, 0.0) / len(ours), float(np.sqrt(square / spread)), largest, agree


def check_encoding(target: Target, proof: Target, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, float]:
    """Hold a finished file's weights against those of the float file; the worst error for each type.

    A few rows of every tensor are decoded by the `gguf` library.  Raises ExportFailedError.
    """
    worst: dict[str, float] = {}
    ours, theirs = (np.memmap(file.part, np.uint8, "r") for file in (target, proof))
    for name, shape in shapes.items():
        a, b = _sample(ours, target, name, shape), _sample(theirs, proof, name, shape)
        size = float(np.sqrt(np.mean(np.square(b))))
        error = float(np.sqrt(np.mean(np.square(a - b)))) / (size or 1.0)
        kind = target.types[name]
        worst[kind.name] = max(worst.get(kind.name, 0.0), error)
        if not error <= ENCODING[kind]:
            raise ExportFailedError(
                f"{target.path.name}: {name} is encoded wrongly: relative error {error:.2g}, limit {ENCODING[kind]:.2g}"
            )
    return worst


def _sample(
    data: np.memmap[Any, np.dtype[np.uint8]], target: Target, name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    kind, columns = target.types[name], shape[-1]
    size = ggml.row_bytes(kind, columns)
    picked = np.unique(np.linspace(0, prod(shape[:-1]) - 1, 16).astype(int))
    start = target.offsets[name]
    raw = np.stack([data[start + row * size : start + (row + 1) * size] for row in picked])
    found: NDArray[np.float32] = dequantize(raw, kind).reshape(len(picked), columns)
    return found


def _sequences(
    model: OpenModel, rows: Sequence[Row], assorted_ids: Sequence[list[int]], vocabulary: int
) -> list[list[int]]:
    """Token sequences to compare logits on: the document's own rows first, a quarter left for assorted texts."""
    left = max(32, min(POSITIONS, LOGIT_BYTES // (4 * vocabulary)))
    assorted = [token for each in assorted_ids for token in each][: max(left // 4, 8)]
    found, left = [assorted], left - len(assorted)
    for row in rows:
        if left <= 0:
            break
        if own := model.encode(_whole(model, row))[: min(LONGEST, left)]:
            found.append(own)
            left -= len(own)
    return found


def _whole(model: OpenModel, row: Row) -> str:
    return model.render(row.messages, answer_next=False) if row.messages else str(row.data.get("text", ""))


def _same_ids(reference: Reference, replies: Replies) -> None:
    for text, ours, theirs in zip(reference.questions.texts, reference.ids, replies.ids, strict=True):
        if ours != theirs:
            raise ExportFailedError(
                f"llama.cpp splits {text[:60]!r} into other tokens: {theirs[:12]} instead of {ours[:12]}"
            )


def _same_chats(reference: Reference, replies: Replies, tokenizer: Tokenizer) -> dict[str, str]:
    if not replies.chats:  # not asked: every file of an export carries the same template
        return {}
    # With add_bos set llama.cpp's server takes the bos off, to have the tokenizer put it on.
    bos = tokenizer.tokens[tokenizer.special["bos"]] if tokenizer.add_bos else ""
    for ours, theirs in zip(reference.chats, replies.chats, strict=True):
        if ours.removeprefix(bos) != theirs.removeprefix(bos):
            raise ExportFailedError(f"llama.cpp renders a chat as {theirs[:200]!r} instead of {ours[:200]!r}")
    return {"chats_equal": f"{len(replies.chats)}/{len(reference.chats)}"}


def _same_answers(reference: Reference, replies: Replies, tie: float) -> None:
    """Raise ExportFailedError for an answer that leaves the engine's by more than `tie` logits."""
    asked = zip(reference.questions.prompts, reference.answers, replies.answers, replies.answer_ids, strict=True)
    for (prompt, _), ours, theirs, ids in asked:
        if ours != theirs and (lead := reference.lead(prompt, ids)) > tie:
            raise ExportFailedError(
                f"llama.cpp answers {theirs[:100]!r} instead of {ours[:100]!r}; where they part, the engine is "
                f"{lead:.2g} logits surer of its own (limit {tie:.2g})",
                "Nothing was kept.  Please report this with the base's name.",
            )


def with_system(row: Row, system: str | None) -> Sequence[Message]:
    """What is asked, behind the system prompt of training."""
    messages = row.question or ()
    if system and not any(message.role == "system" for message in messages):
        return (Message.of("system", system), *messages)
    return messages


def _plain(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.text}


def _logsumexp(values: NDArray[np.float64]) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))
