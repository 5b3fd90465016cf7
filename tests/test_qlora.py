"""An adapter on a base in 4 bits, from the document to the export, and on from an interruption."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.conftest import QUICK, Desk

QLORA = QUICK + "  adapter: qlora\n"


def adapter(desk: Desk, path: Path) -> str:
    return next(v["adapter"] for v in desk.dlm("show", path, "--json").json["versions"] if v["current"])


def test_qlora_from_document_to_export(desk):
    path = desk.write(training=QLORA)
    done = desk.dlm("run", path)
    assert done.code == 0, done.err
    assert "bitsandbytes" not in done.err
    assert "Warning" not in done.err
    assert "NF4" in done.err
    assert "trained on the base in nf4; the export holds the base's own weights" in done.err
    assert "answers the same in llama.cpp" in done.out
    assert desk.dlm("prompt", path, "What colour is the rock?").out == "The rock is black.\n"
    manifest = desk.dlm("show", path, "--json").json
    assert manifest["versions"]
    plan = desk.dlm("plan", path, "--json").json
    (choice,) = [one for one in plan["choices"] if one["name"] == "precision"]
    assert choice["value"] == f"{plan['precision']['dtype']}, base in nf4"
    merged = desk.dlm("export", path, "merged", "--to", desk.folder / "merged")
    assert merged.code == 0, merged.err
    config = json.loads((desk.folder / "merged" / "config.json").read_text())
    assert "quantization_config" not in config
    assert json.loads((desk.folder / "merged" / "export.json").read_text())["trained_on"] == "nf4"
    assert desk.dlm("exam", path).code == 0


def test_an_interrupted_qlora_run_ends_in_the_same_bits(desk):
    settings = QLORA.replace("dropout: 0\n", "dropout: 0.1\n")
    path = desk.write(training=settings)
    whole = Desk(desk.folder, desk.home / "whole")
    assert whole.dlm("train", path).code == 0
    process = desk.start("train", path, "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if '"step"' in line and json.loads(line).get("step") == 5:
            os.kill(process.pid, signal.SIGINT)
            break
    process.communicate(timeout=100)
    assert process.returncode == 130
    resumed = desk.dlm("train", path, "--resume")
    assert resumed.code == 0, resumed.err
    assert Path(adapter(desk, path)).name == Path(adapter(whole, path)).name
    lora = Desk(desk.folder, desk.home / "lora")
    desk.write(training=settings.replace("qlora", "lora"))
    assert lora.dlm("train", path).code == 0
    assert Path(adapter(lora, path)).name != Path(adapter(whole, path)).name
