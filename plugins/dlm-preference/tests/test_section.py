"""Sections of preferences as rows, and what the block says about them."""

from __future__ import annotations

import pytest

from dlm_core.testing import Desk, conformance
from dlm_preference import plugin

TRIPLE = "### Prompt\nWho keeps it?\n### Chosen\nOda Vell.\n\nShe does.\n### Rejected\n\nNobody.\n"

test_conforms = conformance("dlm_preference.plugin", examples={"preference": f"::preference::\n{TRIPLE}{TRIPLE}"})


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    return dlm_desk.use(plugin)


def test_each_triple_is_a_row(desk: Desk) -> None:
    first, second = desk.rows(f"::preference::\n{TRIPLE}### Prompt\na\n### Chosen\nb\n### Rejected\nc")
    assert (first.kind, second.kind, second.index) == ("preference", "preference", 1)
    assert first.data == {"prompt": "Who keeps it?", "chosen": "Oda Vell.\n\nShe does.", "rejected": "Nobody."}
    assert first.choices is not None
    assert [[m.text for m in chat.messages] for chat in first.choices] == [
        ["Who keeps it?", "Oda Vell.\n\nShe does."],
        ["Who keeps it?", "Nobody."],
    ]


@pytest.mark.parametrize(
    ("body", "line", "code"),
    [
        ("Hello\n" + TRIPLE, 7, "DLM0221"),
        ("### Prompt\na\n### Rejected\nb\n### Chosen\nc", 7, "DLM0223"),
        ("### Prompt\na\n### Chosen\nb", 9, "DLM0223"),
        ("### Prompt !probe\na\n### Chosen\nb\n### Rejected\nc", 7, "DLM0222"),
        ("### Prompt\na\n### Chosen\n### Rejected\nc", 9, "DLM0224"),
        ("### Prompt\na\n### Chosen\nsame\n### Rejected\nsame", 7, "PREF0005"),
        ("### prompt\na\n### Chosen\nb\n### Rejected\nc", 7, "DLM0226"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(desk: Desk, body: str, line: int, code: str) -> None:
    found = [problem for problem in desk.check(f"::preference::\n{body}") if problem.severity == "error"]
    assert (found[0].span.line, found[0].code) == (line, code)


def test_headers_in_a_code_block_are_text(desk: Desk) -> None:
    (row,) = desk.rows("::preference::\n### Prompt\n```\n### Chosen\n```\n### Chosen\nb\n### Rejected\nc")
    assert row.data["prompt"] == "```\n### Chosen\n```"


MINED = (
    'judge_name="x" judge_score_chosen="0.82" judge_score_rejected="0.31" mined_at="2026-04-23T18:42:11Z" '
    'mined_run_id="7"'
)


@pytest.mark.parametrize(
    ("marker", "code"),
    [
        (f"<!-- dlm-auto-mined: {MINED} -->", ""),
        ('<!-- dlm-auto-harvest: source="a/b" -->', ""),
        (f"<!-- dlm-auto-mined: {MINED.replace('0.82', 'nan')} -->", "DLM0210"),
        (f"<!-- dlm-auto-mined: {MINED.replace('mined_run_id', 'run')} -->", "DLM0210"),
        (
            '<!-- dlm-auto-synth: synth_teacher="a" synth_strategy="b" synth_at="2026-04-23" '
            'source_section_id="0123456789abcdef" -->',
            "DLM0211",
        ),
    ],
)
def test_markers(desk: Desk, marker: str, code: str) -> None:
    plain = desk.parse(f"::preference::\n{TRIPLE}").sections[0]
    problems = desk.check(f"::preference::\n{marker}\n{TRIPLE}")
    assert {problem.code for problem in problems} == ({code} if code else set())
    if not code:
        marked = desk.parse(f"::preference::\n{marker}\n{TRIPLE}").sections[0]
        assert (marked.id, len(marked.markers)) == (plain.id, 1)


@pytest.mark.parametrize(
    ("front", "rows", "code"),
    [
        ("", 1, None),
        ("training: {preference: {method: orpo}}", 1, None),
        ("training: {preference: {enabled: true}}", 1, None),
        ("training: {preference: {enabled: false}}", 0, "PREF0002"),
        ("training: {preference: {method: orpo, reference: base}}", 1, "PREF0004"),
        ("training: {preference: {hyperparams: {alpha: 0.2}}}", 1, "PREF0004"),
        ("training: {preference: {hyperparams: {beta: 0}}}", 1, "PREF0001"),
        ("training: {preference: {hyperparams: {beta: 0}, method: orpo}}", 1, "PREF0004"),
        ("dlm_version: 1\ntraining: {dpo: {enabled: false, beta: 0.2}}", 0, "PREF0002"),
    ],
)
def test_enabled_unless_the_author_said_no(desk: Desk, front: str, rows: int, code: str | None) -> None:
    body = f"Text.\n\n::preference::\n{TRIPLE}"
    problems = desk.check(body, front)
    assert [problem.code for problem in problems] == ([code] if code else [])
    if code != "PREF0001":
        assert sum(row.kind == "preference" for row in desk.rows(body, front)) == rows


def test_enabled_without_sections_is_a_warning(desk: Desk) -> None:
    (problem,) = desk.check("Text.", "training: {preference: {enabled: true}}")
    assert (problem.code, problem.severity) == ("PREF0003", "warning")


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("method: ppo", "dpo"),
        ("loss_type: sigmod", "sigmoid"),
        ("reference: pre", "pre_adapter"),
        ("hyperparams: {beta: 1.5}", "1"),
        ("hyperparams: {num_epochs: 0}", "1"),
        ("hyperparams: {learning_rate: 0}", "0"),
        ("hyperparms: {beta: 0.5}", "hyperparams"),
    ],
)
def test_wrong_values_are_told_with_what_is_allowed(desk: Desk, written: str, hint: str) -> None:
    (problem,) = desk.check(f"::preference::\n{TRIPLE}", f"training: {{preference: {{{written}}}}}")
    assert problem.severity == "error"
    assert hint in f"{problem.message} {problem.hint}"
