"""The table of who provides what is that of the plugins in this repository; core provides nothing of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlm_core.plugins import Plugins
from dlm_core.plugins.known import KNOWN

ROOT = Path(__file__).parent.parent


def test_the_table_is_not_stale():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "known.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_named_is_one_of_this_repository():
    assert {dist for dist, _ in KNOWN.values()} <= {path.name for path in (ROOT / "plugins").iterdir()}


def test_core_provides_nothing_of_the_list():
    core = Plugins.load(group="none of those installed")
    own = {(registry.kind, name) for registry in core.registries() for name in registry}
    assert not own & KNOWN.keys()


@pytest.mark.parametrize(
    ("front", "body", "place"),
    [
        ("training:\n  audio: {auto_resample: true}\n", "A line.\n", "notes.dlm:6:3"),
        ("", '::audio path="a.wav" transcript="A bell."::\n', "notes.dlm:6:1"),
        ("", "::preference::\n", "notes.dlm:6:1"),
    ],
)
def test_the_package_to_install_is_named_at_the_place(dlm_desk, front, body, place):
    done = dlm_desk.dlm("check", dlm_desk.write(body, front))
    dist = "dlm-audio" if "audio" in front + body else "dlm-preference"
    assert (done.code, place in done.err) == (5, True), done.err
    assert "error[DLM0301]" in done.err
    assert f"provided by {dist}, which is not installed: `pip install {dist}`" in done.err
