"""The section type, from a document to an answer."""

from __future__ import annotations

import dlm_newplugin.plugin as plugin

from dlm_core.testing import Desk, conformance

WORDS = """
    ::newplugin::
    quay: a place to land
    tarn: a mountain lake
"""

EXAMPLE = "::newplugin::\nquay: a place to land"

test_conforms = conformance("dlm_newplugin.plugin", examples={"newplugin": EXAMPLE})


def test_each_line_is_learned(dlm_desk: Desk) -> None:
    done = dlm_desk.use(plugin).run(WORDS, "--min-exam", "1")
    assert done.code == 0, done.err
    assert done.answers["What does tarn mean?"] == "a mountain lake"


def test_the_question_can_be_another(dlm_desk: Desk) -> None:
    rows = dlm_desk.use(plugin).rows('::newplugin ask="Define {}."::\nquay: a place to land\n')
    assert [row.question[-1].text for row in rows if row.question] == ["Define quay."]


def test_a_wrong_line_is_told_with_its_place(dlm_desk: Desk) -> None:
    (problem,) = dlm_desk.use(plugin).check("::newplugin::\nquay: a place to land\ntarn\n")
    assert (problem.span.line, problem.message) == (8, "this is not `word: meaning`")
