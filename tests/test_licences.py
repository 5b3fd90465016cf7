"""A gated base's licence is asked about once, and without a terminal the answer is no."""

from __future__ import annotations

from tests.test_plugins import install

GATED = """
from pathlib import Path

import dlm_tiny
from dlm_core import hookimpl


@hookimpl
def dlm_base_models():
    from dlm_core.api import BaseModel

    folder = Path(dlm_tiny.__file__).parent / "model"
    return [BaseModel("walled", str(folder), parameters=4458752, license="Walled-1.0", gated=True)]
"""


def test_a_licence_is_accepted_once(desk):
    site = desk.folder / "site"
    install(site, "walled", GATED)
    env = {"PYTHONPATH": str(site)}
    path = desk.write(training="  num_epochs: 1\n  learning_rate: 5e-3\n")
    path.write_text(path.read_text().replace("base_model: tiny", "base_model: walled"))
    refused = desk.dlm("train", path, env=env)
    assert refused.code == 6
    assert "Walled-1.0" in refused.err
    assert "--accept-licence" in refused.err
    assert not (desk.home / "store").exists()
    assert desk.dlm("plan", path, env=env).code == 0
    assert not (desk.home / "licences.json").exists(), "looking accepts nothing"
    assert desk.dlm("train", path, "--accept-licence", env=env).code == 0
    assert desk.dlm("train", path, "--force", env=env).code == 0
