"""Wrong documents, one rule each, read by the parser: where every problem is told, with which code and words."""

from __future__ import annotations

import pytest

from dlm_core.builtin.plugin import dlm_explanations
from tests.wrong_documents import CASES, ID

#: Every code that core knows.
CODES = {explanation.code for explanation in dlm_explanations()}


@pytest.mark.parametrize("name", CASES)
def test_wrong_document(problems, name):
    text, expected = CASES[name]
    found = problems(text)
    assert [(p.span.line, p.span.col, p.code) for p in found] == [case[:3] for case in expected], found
    for problem, (*_, words) in zip(found, expected, strict=True):
        assert words in f"{problem.message}\n{problem.hint}"
        assert problem.severity == "error"
        assert problem.code in CODES
        assert len(problem.message) < 500


def test_there_are_enough_of_them():
    assert len(CASES) >= 80


def test_all_problems_come_in_one_pass(problems):
    text = (
        f"---\ndlm_id: {ID[:-1]}L\ndlm_version: 15\nbase_model: tiny\ntraining:\n  lora_r: 0\n  lora_rr: 8\n---\n"
        "::foo::\nx\n:: prose ::\n::instruction#tone::\n### Q\nq\n::instruction::\n```\n"
    )
    found = [(p.span.line, p.code) for p in problems(text)]
    assert found == [
        (2, "DLM0112"),
        (6, "DLM0104"),
        (7, "DLM0101"),
        (9, "DLM0201"),
        (11, "DLM0203"),
        (13, "DLM0223"),
        (16, "DLM0204"),
        (16, "DLM0221"),
    ]
