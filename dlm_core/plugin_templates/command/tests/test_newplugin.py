"""The command, as a person calls it."""

from __future__ import annotations

import dlm_newplugin.plugin as plugin

from dlm_core.testing import Desk, conformance

BODY = """
    A line.

    ::instruction::
    ### Q
    Where?
    ### A
    Here.
"""

test_conforms = conformance("dlm_newplugin.plugin")


def test_it_counts(dlm_desk: Desk) -> None:
    path = dlm_desk.use(plugin).write(BODY)
    assert dlm_desk.dlm("newplugin", path).out.split() == ["1", "instruction", "1", "prose"]
    assert dlm_desk.dlm("newplugin", path, "--by", "kind").out.split() == ["1", "chat", "1", "text"]


def test_an_empty_document_is_told(dlm_desk: Desk) -> None:
    done = dlm_desk.use(plugin).dlm("newplugin", dlm_desk.write(""))
    assert (done.code, "has no rows" in done.err) == (2, True)


def test_it_is_in_the_help(dlm_desk: Desk) -> None:
    assert "count the rows of a document" in dlm_desk.use(plugin).dlm("--help").out
