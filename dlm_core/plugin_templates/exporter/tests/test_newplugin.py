"""The exporter, from a run to files."""

from __future__ import annotations

from pathlib import Path

import dlm_newplugin.plugin as plugin

from dlm_core.testing import Desk, conformance

PAIR = """
    ::instruction::
    ### Q
    Where does it stand, and why?
    ### A
    On a rock.
"""

test_conforms = conformance("dlm_newplugin.plugin")


def test_it_is_written_after_training(dlm_desk: Desk) -> None:
    done = dlm_desk.use(plugin).run(PAIR, "--export", "newplugin")
    assert done.code == 0, done.err
    folder = Path(done.event("export")["folder"])
    assert (folder / "notes.csv").read_text() == '"Where does it stand, and why?",On a rock.\n'


def test_an_option_chooses_the_separator(dlm_desk: Desk) -> None:
    path = dlm_desk.use(plugin).write(PAIR)
    dlm_desk.run(path)
    done = dlm_desk.dlm("export", path, "newplugin", "-o", "separator=tab", "--to", "out")
    assert done.code == 0, done.err
    assert (dlm_desk.folder / "out" / "notes.csv").read_text() == "Where does it stand, and why?\tOn a rock.\n"


def test_a_document_without_questions_is_refused_before_training(dlm_desk: Desk) -> None:
    done = dlm_desk.use(plugin).run("A line.\n", "--export", "newplugin")
    assert (done.code, "there is no question" in done.err) == (3, True)
    assert all(event["event"] != "run" for event in done.events)
