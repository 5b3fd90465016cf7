"""The policy on several machines."""

from __future__ import annotations

from dataclasses import replace

import dlm_newplugin.plugin as plugin
import pytest
from dlm_newplugin.policy import NewPlugin

from dlm_core.api import BaseModel, Hardware
from dlm_core.testing import Desk, conformance

MACHINE = Hardware("cpu", "a new processor", 4, 2**34, 2**33, bf16=True)
BASE = BaseModel("some", "hub:some/base")

test_conforms = conformance("dlm_newplugin.plugin")


def test_it_decides_on_its_machine(dlm_desk: Desk) -> None:
    found = NewPlugin().decide(MACHINE, BASE, dlm_desk.parse("A line.\n"))
    assert found is not None
    assert (found.dtype, found.reason) == ("bf16", "a new processor computes bf16 natively")


def test_it_leaves_other_machines_alone(dlm_desk: Desk) -> None:
    assert NewPlugin().decide(replace(MACHINE, bf16=False), BASE, dlm_desk.parse("A line.\n")) is None


def test_it_leaves_the_last_word_to_the_document(dlm_desk: Desk) -> None:
    doc = dlm_desk.parse("A line.\n", "training:\n  precision: fp32\n")
    assert NewPlugin().decide(MACHINE, BASE, doc) is None


def test_a_run_takes_its_choice(dlm_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlm_core.preparing.read_hardware", lambda: MACHINE)
    done = dlm_desk.use(plugin).run("A line.\n")
    assert done.code == 0, done.err
    assert done.event("plan")["plan"]["precision"]["dtype"] == "bf16"
