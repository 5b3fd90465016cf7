"""The kind, from files beside a document to answers about them."""

from __future__ import annotations

from pathlib import Path

import dlm_newplugin.plugin as plugin
from dlm_newplugin.media import NewPlugin

from dlm_core import hookimpl
from dlm_core.api import BaseModel
from dlm_core.testing import Desk, conformance

HERE = Path(__file__).parent
BODY = """
    ::newplugin path="rose.txt"::
    a rose

    ::newplugin path="tar.txt"::
    tar
"""

test_conforms = conformance(
    "dlm_newplugin.plugin", examples={"newplugin": f'::newplugin path="{HERE / "rose.txt"}"::\na rose'}
)


class SomeBase:
    """A base that accepts the kind; the desk's null engine shows it what `load` gives."""

    @hookimpl
    def dlm_base_models(self) -> list[BaseModel]:
        return [BaseModel("some-base", "hub:some/base", "1", accepts={"newplugin": {"numbers": 4}})]


def put(desk: Desk) -> None:
    (desk.folder / "rose.txt").write_bytes((HERE / "rose.txt").read_bytes())
    (desk.folder / "tar.txt").write_text("9 9 8 1")


def test_files_are_told_apart(dlm_desk: Desk) -> None:
    put(dlm_desk)
    done = dlm_desk.use(plugin, SomeBase()).run(BODY, "--min-exam", "1", front="base_model: some-base")
    assert done.code == 0, done.err
    assert [answer["answer"] for answer in done.event("exam")["exam"]["answers"]] == ["a rose", "tar"]


def test_a_base_that_does_not_accept_it_is_refused(dlm_desk: Desk) -> None:
    put(dlm_desk)
    done = dlm_desk.use(plugin, SomeBase()).run(BODY)
    assert (done.code, "takes no newplugin" in done.err, "some-base" in done.err) == (3, True, True)


def test_a_file_of_something_else_is_told_with_its_place(dlm_desk: Desk) -> None:
    put(dlm_desk)
    (dlm_desk.folder / "tar.txt").write_text("black and sticky")
    (problem,) = dlm_desk.use(plugin).check(BODY)
    assert (problem.span.line, "tar.txt cannot be used" in problem.message) == (9, True)


def test_the_policy_says_how_many_numbers() -> None:
    assert NewPlugin().load(b"1 2", {"numbers": 3}) == [1.0, 2.0, 0.0]
