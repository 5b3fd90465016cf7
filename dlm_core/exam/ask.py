"""Ask the document's questions and score its sections, with the adapter and with the base alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..api import Control, InterruptedRunError, Message, OpenModel, Row, Sampling, Score, Span, text_row
from .result import Answer, Exam, SectionResult, Side

#: Questions asked in one batch.
BATCH = 32

#: How many tokens longer than the expected answer an answer may grow before it is stopped.
SPARE_TOKENS = 8


def examine(
    model: OpenModel,
    train: Sequence[Row],
    validation: Sequence[Row],
    exam_only: Sequence[Row],
    control: Control | None = None,
) -> Exam:
    """Every question greedily, every section's loss before and after, and the loss on neutral text."""
    started = time.monotonic()
    control = control or Control()
    sides: list[tuple[Side, Sequence[Row]]] = [("trained", train), ("validation", validation), ("exam", exam_only)]
    answers: list[Answer] = []
    for side, rows in sides:
        if control.stop_requested():
            raise InterruptedRunError("stopped during the exam")
        answers += _ask(model, [row for row in rows if row.question], side, control)
    sections = _score_sections(model, (*train, *validation), {row.section_id for row in train})
    neutral = [text_row(text, Span(1)) for text in neutral_texts()]
    adapter = next((row.adapters[0] for row in train), "default")
    return Exam(
        tuple(sorted(answers, key=lambda answer: (answer.line, answer.index))),
        tuple(sections),
        _loss(model, neutral, None),
        _loss(model, neutral, adapter),
        time.monotonic() - started,
    )


def neutral_texts() -> list[str]:
    """Plain English paragraphs about nothing in particular, to notice what a training made worse."""
    path = Path(__file__).with_name("neutral.txt")
    return [part.strip() for part in path.read_text(encoding="utf-8").split("\n\n") if part.strip()]


def _ask(model: OpenModel, rows: Sequence[Row], side: Side, control: Control) -> list[Answer]:
    by_adapter: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_adapter[row.adapters[0]].append(row)
    answers = []
    for adapter, mine in by_adapter.items():
        lengths = {row.key: len(model.encode(row.answer or "")) for row in mine}
        ordered = sorted(mine, key=lambda row: lengths[row.key])
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            limit = max(lengths[row.key] for row in batch) + SPARE_TOKENS
            given = model.generate([row.question or () for row in batch], Sampling(max_tokens=limit), adapter)
            for row, text in zip(batch, given, strict=True):
                answers.append(_answer(row, text, side, adapter))
            control.emit("exam_progress", side=side, asked=min(start + BATCH, len(ordered)), questions=len(ordered))
    return answers


def _answer(row: Row, text: str, side: Side, adapter: str) -> Answer:
    question = _last_user(row.question or ())
    return Answer(
        row.span.line, row.section_id, row.index, side, adapter, question, (row.answer or "").strip(), text.strip()
    )


def _last_user(messages: Sequence[Message]) -> str:
    return next((message.text for message in reversed(messages) if message.role == "user"), "")


def _score_sections(model: OpenModel, rows: Sequence[Row], trained: set[str]) -> list[SectionResult]:
    scorable = [row for row in rows if row.kind in ("text", "chat")]
    before = dict(zip((row.key for row in scorable), model.score(scorable, None), strict=True))
    after: dict[str, Score] = {}
    for adapter in sorted({row.adapters[0] for row in scorable}):
        mine = [row for row in scorable if row.adapters[0] == adapter]
        after |= dict(zip((row.key for row in mine), model.score(mine, adapter), strict=True))
    by_section: dict[str, list[Row]] = defaultdict(list)
    for row in scorable:
        by_section[row.section_id].append(row)
    results = []
    for section_id, mine in by_section.items():
        tokens = sum(after[row.key].tokens for row in mine) or 1
        results.append(
            SectionResult(
                section_id,
                mine[0].section_type,
                mine[0].span.line,
                _title(mine[0]),
                tokens,
                sum(before[row.key].loss_sum for row in mine) / tokens,
                sum(after[row.key].loss_sum for row in mine) / tokens,
                section_id in trained,
            )
        )
    return results


def _title(row: Row) -> str:
    text = _last_user(row.question or ()) or str(row.data.get("text", ""))
    return text.strip().split("\n")[0][:60]


def _loss(model: OpenModel, rows: Sequence[Row], adapter: str | None) -> float:
    scores = list(model.score(rows, adapter))
    tokens = sum(score.tokens for score in scores)
    return sum(score.loss_sum for score in scores) / tokens if tokens else 0.0
