"""Adapters are put on the language model; on what sees only where a layer of it is named, and an export keeps that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from dlm_core.testing import Desk

from .conftest import QUICK, front, sections

SPEAKING = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
SEEING = "model.vision_model.encoder.layers.2.mlp.fc1"


def trained(desk: Desk) -> set[str]:
    """The modules that the newest adapter changes."""
    adapter = Path(desk.dlm("show", "notes.dlm", "--json").json["versions"][-1]["adapter"])
    (file,) = adapter.rglob("adapter_model.safetensors")
    with safe_open(file, "np") as tensors:
        return {name.removeprefix("base_model.model.").partition(".lora_")[0] for name in tensors.keys()}  # noqa: SIM118


def test_what_sees_stays_as_the_base_has_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    assert desk.run(sections(), "--no-export", front=front("\n    num_epochs: 1\n")).code == 0
    assert {name.partition(".layers")[0] for name in trained(desk)} == {"model.text_model"}


def test_a_layer_that_sees_is_trained_by_its_name_and_exported(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import dlm_gguf.plugin

    monkeypatch.chdir(desk.folder)
    named = f"{QUICK}    target_modules: [{SPEAKING}, {SEEING}]\n"
    done = desk.use(dlm_gguf.plugin).run(sections(), "--no-export", front=front(named))
    assert done.code == 0, done.err
    assert SEEING in trained(desk)
    plain, out = desk.folder / "plain", desk.folder / "out"
    assert desk.dlm("export", "notes.dlm", "gguf", "-o", "quant=F32", "--to", out).code == 0
    shown = json.loads((out / "notes.gguf.json").read_text())["files"][0]["shown"]
    assert shown["equal"] == "4/4"
    assert desk.run(sections(), "--no-export", "--fresh", front=front()).code == 0
    assert desk.dlm("export", "notes.dlm", "gguf", "-o", "quant=F32", "--to", plain).code == 0
    assert (plain / "mmproj-notes.gguf").read_bytes() != (out / "mmproj-notes.gguf").read_bytes()
