"""Ask the document's questions and score its sections, with the adapter and with the base alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ..api import Control, InterruptedRunError, Message, OpenModel, Row, Sampling, Score, Span, text_row
from ..neutral import neutral_texts
from ..routing import RoutedModel, routing_of
from .blanks import check_blanks
from .result import Answer, Exam, SectionResult, Side

#: Questions asked in one batch.
BATCH = 32

#: How many tokens longer than the expected answer an answer may grow before it is stopped.
SPARE_TOKENS = 8


class Margin(NamedTuple):
    """By how many nats a pair's chosen answer is likelier than its rejected one, and how many tokens both have."""

    nats: float
    tokens: int


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
    train = list({id(row): row for row in train}.values())  # a row whose weight is 2 is there twice
    sides: list[tuple[Side, Sequence[Row]]] = [("trained", train), ("validation", validation), ("exam", exam_only)]
    answers: list[Answer] = []
    control.emit("exam_start", questions=sum(bool(row.question) for _, rows in sides for row in rows))
    for side, rows in sides:
        answers += _ask(model, [row for row in rows if row.question], side, control)
    trained = {row.section_id for row in train}
    held_out = [row for row in validation if row.section_id not in trained]
    sections = _score_sections(model, (*train, *held_out), trained)
    neutral = [text_row(text, Span(1)) for text in neutral_texts()]
    adapter = next((row.adapters[0] for row in train), "default")
    routing = routing_of(model, dict(sides)) if isinstance(model, RoutedModel) else None
    return Exam(
        tuple(sorted(answers, key=lambda answer: (answer.line, answer.index))),
        tuple(sections),
        _loss(model, neutral, None),
        _loss(model, neutral, adapter),
        time.monotonic() - started,
        routing,
        check_blanks(model, train, answers),
    )


def _ask(model: OpenModel, rows: Sequence[Row], side: Side, control: Control) -> list[Answer]:
    by_adapter: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_adapter[row.adapters[0]].append(row)
    answers = []
    for adapter, mine in by_adapter.items():
        lengths = {row.key: len(model.encode(row.answer or "")) for row in mine}
        ordered = sorted(mine, key=lambda row: lengths[row.key])
        for start in range(0, len(ordered), BATCH):
            if control.stop_requested():
                raise InterruptedRunError("stopped during the exam")
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
    return next((message.shown for message in reversed(messages) if message.role == "user"), "")


def _score_sections(model: OpenModel, rows: Sequence[Row], trained: set[str]) -> list[SectionResult]:
    """One result for each section and adapter it belongs to."""
    scorable = [row for row in rows if row.kind in ("text", "chat")]
    preferred = [row for row in rows if row.choices]
    before = dict(zip((row.key for row in scorable), model.score(scorable, None), strict=True))
    by_section: dict[tuple[str, str], list[tuple[Row, Score]]] = defaultdict(list)
    for adapter in dict.fromkeys(name for row in scorable for name in row.adapters):
        mine = [row for row in scorable if adapter in row.adapters]
        for row, score in zip(mine, model.score(mine, adapter), strict=True):
            by_section[row.section_id, adapter].append((row, score))
    results = []
    for (section_id, adapter), scored in by_section.items():
        first = scored[0][0]
        tokens = sum(after.tokens for _, after in scored) or 1
        results.append(
            SectionResult(
                section_id,
                first.section_type,
                first.span.line,
                _title(first),
                adapter,
                tokens,
                sum(before[row.key].loss_sum for row, _ in scored) / tokens,
                sum(after.loss_sum for _, after in scored) / tokens,
                section_id in trained,
            )
        )
    results += _score_preferences(model, preferred, trained)
    return sorted(results, key=lambda result: (result.line, result.section_id))


def _score_preferences(model: OpenModel, rows: Sequence[Row], trained: set[str]) -> list[SectionResult]:
    """One result a section of pairs and adapter it belongs to: how many pairs are told apart, and how clearly."""
    before = dict(zip((row.key for row in rows), _margins(model, rows, None), strict=True))
    by_section: dict[tuple[str, str], list[tuple[Row, Margin]]] = defaultdict(list)
    for adapter in dict.fromkeys(name for row in rows for name in row.adapters):
        mine = [row for row in rows if adapter in row.adapters]
        for row, margin in zip(mine, _margins(model, mine, adapter), strict=True):
            by_section[row.section_id, adapter].append((row, margin))
    results = []
    for (section_id, adapter), found in by_section.items():
        first = found[0][0]
        earlier, later = [before[row.key].nats for row, _ in found], [margin.nats for _, margin in found]
        results.append(
            SectionResult(
                section_id,
                first.section_type,
                first.span.line,
                _title(first),
                adapter,
                sum(margin.tokens for _, margin in found),
                _told_apart(earlier),
                _told_apart(later),
                section_id in trained,
                "accuracy",
                sum(earlier) / len(found),
                sum(later) / len(found),
            )
        )
    return results


def _margins(model: OpenModel, rows: Sequence[Row], adapter: str | None) -> list[Margin]:
    """How much likelier the model finds each row's chosen answer than its rejected one."""
    scores = iter(model.score([chat for row in rows for chat in row.choices or ()], adapter))
    pairs = [(next(scores), next(scores)) for _ in rows]
    return [Margin(bad.loss_sum - good.loss_sum, good.tokens + bad.tokens) for good, bad in pairs]


def _told_apart(margins: Sequence[float]) -> float:
    return sum((margin > 0) + 0.5 * (margin == 0) for margin in margins) / len(margins)


def _title(row: Row) -> str:
    text = _last_user(row.question or ()) or str(row.data.get("text") or row.data.get("prompt", ""))
    return text.strip().split("\n")[0][:60]


def _loss(model: OpenModel, rows: Sequence[Row], adapter: str | None) -> float:
    scores = list(model.score(rows, adapter))
    tokens = sum(score.tokens for score in scores)
    return sum(score.loss_sum for score in scores) / tokens if tokens else 0.0
