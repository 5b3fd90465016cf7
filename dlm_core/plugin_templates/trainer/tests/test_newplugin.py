"""The phase, from a document that asks for it to a version."""

from __future__ import annotations

import json

import dlm_newplugin.plugin as plugin

from dlm_core.testing import Desk, conformance

BODY = "The fog lifts. The fog falls.\n"
FRONT = """
    training:
      newplugin:
        shortest: 4
"""

test_conforms = conformance("dlm_newplugin.plugin")


def test_it_goes_on_from_the_phase_before(dlm_desk: Desk) -> None:
    done = dlm_desk.use(plugin).run(BODY, front=FRONT)
    assert done.code == 0, done.err
    phases = [event["phase"] for event in done.events if event["event"] == "phase"]
    assert phases == ["sft", "newplugin"]
    assert json.loads((done.adapter / "words.json").read_text()) == {"falls": 1, "lifts": 1}
    assert (done.adapter / "adapter_model.safetensors").is_file()


def test_it_leaves_other_documents_alone(dlm_desk: Desk) -> None:
    done = dlm_desk.use(plugin).run(BODY)
    assert [event["phase"] for event in done.events if event["event"] == "phase"] == ["sft"]


def test_a_wrong_setting_is_told_with_its_place(dlm_desk: Desk) -> None:
    (problem,) = dlm_desk.use(plugin).check(BODY, FRONT.replace("4", "0"))
    assert problem.span.line == 7
    assert "shortest" in problem.message
