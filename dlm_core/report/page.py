"""The page about a run from top to bottom.  It loads nothing and runs nothing: one file that can be sent around."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..units import change_text
from .curves import curve_figures, number_text
from .document import document_part
from .facts import machine_part, plan_part, settings_part, warnings_part
from .markup import own_direction, section, text
from .questions import compared_part, exam_part
from .record import RunRecord
from .verdicts import WORDS, badge

#: State -> kind (for its colour) and what the page says of it.
_STATES = {
    "committed": ("well", "✓", "finished"),
    "failed": ("not", "✗", "failed"),
    "interrupted": ("partly", "◐", "interrupted"),
}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>"""

_EXPORTS = (
    "<p>Exports are made after this page is written. <code>dlm show DOCUMENT --json</code> and the folder "
    "<code>exports</code> of the store tell which there are.</p>"
)


def render(record: RunRecord) -> str:
    """The whole page.  Everything that comes from the document or a model is escaped on its way in."""
    curves = "".join(curve_figures(curve, number) for number, curve in enumerate(record.curves))
    parts = [
        ("loss", "Loss", curves or '<p class="note">The run ended before its first step.</p>'),
        ("document", "What was learned", _legend(record) + document_part(record)),
        ("exam", "Exam", exam_part(record.exam) + compared_part(record.compared)),
        ("plan", "Plan and reality", plan_part(record)),
        ("warnings", "Warnings", warnings_part(record)),
        ("settings", "Settings", settings_part(record)),
        ("machine", "Machine and versions", machine_part(record)),
        ("exports", "Exports", _EXPORTS if record.version else ""),
    ]
    links = " ".join(f'<a href="#{name}">{text(title)}</a>' for name, title, body in parts if body)
    body = "\n".join([_header(record), f"<nav>{links}</nav>", *(section(*part) for part in parts)])
    title = text(f"run {record.run} of {record.doc.path.name}")
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return _PAGE.format(title=title, style=style, body=body)


def _header(record: RunRecord) -> str:
    kind, mark, word = _STATES[record.state]
    version = f" → version {record.version}" if record.version else ""
    names = ", ".join(record.adapters)
    facts = [
        f"base {own_direction(record.base.model.key)}",
        f"{'adapter' if len(record.adapters) == 1 else 'adapters'} {own_direction(names)}",
        text(f"{record.plan.precision.dtype}, seed {record.settings.seed}"),
        f"<time>{text(record.started)}</time> to <time>{text(record.finished)}</time>",
        f"document {text(record.doc.id)}, sha256 {text(record.doc.sha256[:16])}…",
    ]
    return (
        f'<header class="top"><p class="badge {kind}"><span class="mark" aria-hidden="true">{mark}</span> {word}</p>'
        f"<h1>{own_direction(record.doc.path.name)}</h1><p>run {record.run}{version}</p>"
        f'<p class="note">{" · ".join(facts)}</p>{_problem(record)}{_glance(record)}</header>'
    )


def _problem(record: RunRecord) -> str:
    if not record.problem:
        return ""
    hint = f"<br>{own_direction(record.hint)}" if record.hint else ""
    return f'<p class="problem" role="alert"><strong>{own_direction(record.problem)}</strong>{hint}</p>'


def _glance(record: RunRecord) -> str:
    """The run in a handful of figures."""
    cards: list[tuple[str, str, str]] = []
    if record.exam:
        counts: Counter[str] = Counter(result.verdict for result in record.exam.sections if result.trained)
        rest = [f"{counts[kind]} {word}" for kind, word in (("partly", "partly"), ("not", "not"), ("worse", "worse"))]
        others = ", ".join(item for item in rest if not item.startswith("0 ")) or "all of them"
        cards.append(("sections learned well", f"{counts['well']} of {counts.total()}", others))
        for side, name in (("trained", "trained questions exact"), ("exam", "!exam questions exact")):
            exact, asked = record.exam.score("trained" if side == "trained" else "exam")
            if asked:
                cards.append((name, f"{exact} of {asked}", "learned" if side == "trained" else "never trained"))
    cards += _loss_cards(record)
    if record.exam:
        change = change_text(record.exam.neutral_before, record.exam.neutral_after)
        cards.append(("loss on other text", change, "what was forgotten of plain English"))
    items = "".join(
        f'<div class="card"><dt>{text(name)}</dt><dd>{text(value)}<small>{text(note)}</small></dd></div>'
        for name, value, note in cards
    )
    return f'<dl class="glance">{items}</dl>' if items else ""


def _loss_cards(record: RunRecord) -> list[tuple[str, str, str]]:
    found = []
    for curve in record.curves:
        losses = [curve.points[step].loss for step in sorted(curve.points)]
        known = [loss for loss in losses if loss is not None]
        if known:
            found.append(
                (f"loss, {curve.title}", f"{_short(known[0])} → {_short(known[-1])}", f"{len(losses):,} steps")
            )
    return found[:4]


def _short(loss: float) -> str:
    return f"{loss:.2f}" if loss >= 0.01 else number_text(loss)


def _legend(record: RunRecord) -> str:
    kinds = [kind for kind in WORDS if kind != "unknown" or record.exam is None]
    measures = {section.measure for section in record.exam.sections} if record.exam else set()
    of_pairs = " Of pairs of answers: how many have the chosen one likelier, before → after."
    return (
        f'<p class="legend-row">{" ".join(badge(kind) for kind in kinds)}</p>'
        '<p class="note">Beside each section: its loss before → after, in nats a token over what training labels. '
        f"Well: fallen by 60 % or below 0.5; partly: by 20 %.{of_pairs * ('accuracy' in measures)}</p>"
    )
