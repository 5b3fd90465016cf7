"""Whether the model uses the files it is shown: the same questions with a blank in each file's place."""

from __future__ import annotations

from collections.abc import Sequence

from ..api import Media, Message, OpenModel, Row, Sampling
from .result import Answer, BlankCheck

#: Questions of a kind that are asked again.
MOST = 32


def check_blanks(model: OpenModel, rows: Sequence[Row], answers: Sequence[Answer]) -> tuple[BlankCheck, ...]:
    """One check for each kind of media in trained questions that have more than one answer; `answers` are the exam's.

    Where all answers are the same, nothing can be told from what a blank gets.
    """
    given = {
        (answer.section_id, answer.index, answer.adapter): answer for answer in answers if answer.side == "trained"
    }
    found = []
    for kind in sorted({part.kind for row in rows for part in row.media}):
        mine = [row for row in rows if row.question and any(part.kind == kind for part in row.media)][:MOST]
        if len({row.answer for row in mine}) > 1:
            found.append(_check(model, kind, mine, [given[row.section_id, row.index, row.adapters[0]] for row in mine]))
    return tuple(found)


def _check(model: OpenModel, kind: str, rows: Sequence[Row], answers: Sequence[Answer]) -> BlankCheck:
    changed = exact = 0
    for row, answer in zip(rows, answers, strict=True):
        limit = len(model.encode(answer.answer)) + 1
        asked = [_blanked(message, kind) for message in row.question or ()]
        (text,) = model.generate([asked], Sampling(max_tokens=limit), row.adapters[0])
        changed += text.strip() != answer.answer
        exact += text.strip() == answer.expected
    return BlankCheck(kind, len(rows), changed, exact)


def _blanked(message: Message, kind: str) -> Message:
    blank = Media.blank(kind)
    parts = (blank if isinstance(part, Media) and part.kind == kind else part for part in message.content)
    return Message(message.role, tuple(parts))
