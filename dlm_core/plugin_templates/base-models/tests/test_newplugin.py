"""The models, from the list to a document."""

from __future__ import annotations

import dlm_newplugin.plugin as plugin

from dlm_core.testing import Desk, conformance

test_conforms = conformance("dlm_newplugin.plugin")


def test_they_are_listed(dlm_desk: Desk) -> None:
    found = dlm_desk.use(plugin).dlm("bases", "newplugin", "--json").json["bases"]
    assert [base["key"] for base in found] == ["newplugin-135m"]


def test_a_new_document_gets_their_settings(dlm_desk: Desk) -> None:
    assert dlm_desk.use(plugin).dlm("init", "new.dlm", "--base", "newplugin-135m").code == 0
    text = (dlm_desk.folder / "new.dlm").read_text()
    assert "base_model: newplugin-135m\n" in text
    assert "lora_r: 16\n" in text


def test_a_document_trains_on_one(dlm_desk: Desk) -> None:
    """The desk's null engine stands in for the weights, so that nothing is fetched."""
    assert dlm_desk.use(plugin).run("A line.\n", front="base_model: newplugin-135m").code == 0
