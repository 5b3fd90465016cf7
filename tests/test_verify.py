"""`dlm show --verify` finds what changed in a store, and what has to do with where the store lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlm_core.testing import Desk


def test_a_flipped_byte_is_found(dlm_desk: Desk) -> None:
    path = dlm_desk.write("The rock is black and the lamp is lit.")
    assert dlm_desk.dlm("show", path, "--verify").code == 0, "nothing trained, nothing wrong"
    ran = dlm_desk.run(path)
    assert ran.code == 0, ran.err
    whole = dlm_desk.dlm("show", path, "--verify")
    assert (whole.code, whole.err) == (0, "")
    assert "as it was written" in whole.out

    weights = ran.adapter / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (ran.adapter / "stranger").touch()
    found = dlm_desk.dlm("show", path, "--verify")
    assert found.code == 1
    assert found.out.splitlines() == [
        f"{ran.adapter / 'stranger'}: does not belong there",
        f"{weights}: its content has changed",
    ]
    assert dlm_desk.dlm("show", path, "--verify", "--json").json["problems"] == found.out.splitlines()


def test_a_damaged_head_is_found(dlm_desk: Desk) -> None:
    path = dlm_desk.write("The rock is black.")
    assert dlm_desk.run(path).code == 0
    (head,) = Path(os.environ["DLM_HOME"]).glob("store/*/HEAD")
    head.write_text("1 nonsense\n")
    found = dlm_desk.dlm("show", path, "--verify")
    assert (found.code, found.out) == (1, f"{head} was changed\n")


def test_show_tells_that_the_runs_database_cannot_be_read(dlm_desk: Desk) -> None:
    path = dlm_desk.write("The rock is black.")
    assert dlm_desk.run(path).code == 0
    (database,) = Path(os.environ["DLM_HOME"]).glob("store/*/runs.sqlite")
    database.write_bytes(b"no database at all, for more than a hundred bytes" * 9)
    shown = dlm_desk.dlm("show", path)
    assert shown.code == 0
    assert "cannot be read" in shown.err


@pytest.mark.parametrize("value", ["", "~/elsewhere"])
def test_the_doctor_looks_where_the_store_is(
    dlm_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DLM_HOME", value)
    home = tmp_path / ("elsewhere" if value else ".dlm")
    assert dlm_desk.dlm("doctor", "--json").json["home"] == str(home)
    path = dlm_desk.write("The rock is black.")
    assert dlm_desk.dlm("show", path, "--json").json["store"].startswith(str(home))
