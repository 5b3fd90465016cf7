"""The exam as tables: what was asked, what should have come, what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..exam import Answer, BlankCheck, Exam
from ..routing import Routing
from ..units import change_text
from .markup import cut, own_direction, table, text

#: Side -> heading and what it means.
SIDES = {
    "trained": ("Trained questions", "their answers were learned"),
    "exam": ("!exam questions", "never trained, only asked"),
    "validation": ("Held-out questions", "set aside to measure, not trained"),
}

#: Longer texts and tables end here.
LONGEST_TEXT = 600
LONGEST_TABLE = 500


def exam_part(exam: Exam | None) -> str:
    """Every side's score and questions, then the loss on text that is not in the document."""
    if exam is None:
        return '<p class="note">The run ended before its questions were asked.</p>'
    found = "".join(_side(exam, side) for side in SIDES)
    if not found:
        found = '<p class="note">The document asks no questions; its sections were measured by their loss.</p>'
    found += "".join(map(_blank, exam.blanks))
    return found + (_routing(exam.routing) if exam.routing else "") + _neutral(exam)


def _blank(check: BlankCheck) -> str:
    kind = text(check.kind)
    said = (
        "With or without it the answers are the same: the model does not look at it."
        if check.blind
        else f"{check.changed} of {check.asked} answers change."
    )
    return (
        f"<h3>With no {kind} shown: {check.exact} of {check.asked} exact "
        f'<span class="note">asked again with a blank in the place of the {kind}</span></h3><p>{said}</p>'
    )


def _routing(routing: Routing) -> str:
    """Who chose the adapters, and how often it gave most weight to the one that a row belongs to."""
    rows = [
        [f"{side} rows routed to their own adapter", f"{routing.right[side]} of {asked}"]
        for side, asked in routing.asked.items()
        if asked
    ]
    rows += [[f"mean weight of {name}", f"{share:.2f}"] for name, share in routing.shares.items()]
    shown = table(["what", "value"], [[text(name), text(value)] for name, value in rows])
    return f"<h3>{text('Adapters chosen by ' + routing.router)}</h3><p>{text(routing.reason)}</p>{shown}"


def compared_part(compared: Mapping[str, Any] | None) -> str:
    """What became of the version before, and how what is new was learned; nothing for a first version."""
    if compared is None:
        return ""
    rows = [
        ["old answers kept", f"{compared['kept']} of {compared['had']}"],
        ["new and changed answers learned", f"{compared['learned']} of {compared['new']}"],
    ]
    for name, key in (("loss of old sections", "old_loss"), ("loss of new sections", "new_loss")):
        rows.append([name, _change(compared[key])])
    rows.append(["loss on other text", _change(compared["neutral"])])
    shown = table(["what", "value"], [[text(name), text(value)] for name, value in rows])
    lost = "".join(
        f"<li>line {answer['line']}: {own_direction(cut(answer['question'], LONGEST_TEXT))}</li>"
        for answer in compared["lost"][:LONGEST_TABLE]
    )
    title = f"<h3>{text('Beside version ' + str(compared['version']))}</h3>"
    return title + shown + (f"<p>Answers that were lost:</p><ul>{lost}</ul>" if lost else "")


def _change(change: Mapping[str, float | None]) -> str:
    before, after = change["before"], change["after"]
    return "nothing to measure" if before is None or after is None else f"{before:.2f} → {after:.2f}"


def _side(exam: Exam, side: str) -> str:
    answers = [answer for answer in exam.answers if answer.side == side]
    if not answers:
        return ""
    name, meaning = SIDES[side]
    exact = sum(answer.exact for answer in answers)
    named = len({answer.adapter for answer in exam.answers}) > 1
    missed = [answer for answer in answers if not answer.exact]
    right = [answer for answer in answers if answer.exact]
    opened = _table(missed, named) if missed else ""
    folded = (
        f"<details{'' if missed else ' open'}><summary>{len(right)} answered exactly</summary>{_table(right, named)}"
        "</details>"
        if right
        else ""
    )
    head = f'<h3>{text(name)}: {exact} of {len(answers)} exact <span class="note">{text(meaning)}</span></h3>'
    return head + opened + folded


def _table(answers: Sequence[Answer], named: bool) -> str:
    head = ["", "line", *(["adapter"] if named else []), "question", "expected", "answered"]
    rows = [
        [
            _mark(answer.exact),
            str(answer.line),
            *([text(answer.adapter)] if named else []),
            *(own_direction(cut(part, LONGEST_TEXT)) for part in (answer.question, answer.expected)),
            '<span class="note">exactly that</span>'
            if answer.exact
            else own_direction(cut(answer.answer, LONGEST_TEXT)),
        ]
        for answer in answers[:LONGEST_TABLE]
    ]
    more = len(answers) - LONGEST_TABLE
    return table(head, rows, "answers") + (f'<p class="note">… and {more} more.</p>' if more > 0 else "")


def _mark(exact: bool) -> str:
    kind, mark, word = ("well", "✓", "exact") if exact else ("not", "✗", "missed")
    return f'<span class="badge {kind}"><span class="mark" aria-hidden="true">{mark}</span> {word}</span>'


def _neutral(exam: Exam) -> str:
    before, after = exam.neutral_before, exam.neutral_after
    return (
        "<h3>Text that is not in the document</h3>"
        f"<p>Loss {before:.2f} → {after:.2f} nats a token ({change_text(before, after)}): "
        "how much the base forgot of plain English.</p>"
    )
