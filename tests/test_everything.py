"""One document with every kind of section and three adapters: trained, examined and exported by one `dlm run`."""

from __future__ import annotations

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from dlm_core.plugins.finder import find_plugins
from dlm_core.testing import Desk
from dlm_core.testing.desk import Result

NEEDED = ("dlm_hf", "dlm_tiny", "dlm_gguf", "dlm_cpt", "dlm_preference", "dlm_gate")
pytestmark = pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="needs the whole installation")

EXAMPLE = Path(__file__).parent.parent / "examples" / "everything.dlm"
ADAPTERS = ["ferry", "inn", "garden"]


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    dlm_desk.null = False
    for found in find_plugins():
        dlm_desk.use(found.load())
    return dlm_desk


def taught(done: Result, phase: str) -> list[str]:
    return [event["adapter"] for event in done.events if event["event"] == "phase" and event["phase"] == phase]


def test_a_document_with_everything_in_one_run(desk: Desk) -> None:
    path = Path(shutil.copy(EXAMPLE, desk.folder))
    done = desk.run(path)
    assert done.code == 0, done.err
    phases = list(dict.fromkeys(event["phase"] for event in done.events if event["event"] == "phase"))
    assert phases == ["cpt", "sft", "preference", "gate"]
    assert taught(done, "cpt") == taught(done, "sft") == ADAPTERS
    assert taught(done, "preference") == ["ferry", "inn"]

    before, after = (
        [e for e in done.events if e["event"] == "measure" and e["when"] == w and e["phase"] == "preference"]
        for w in ("before", "after")
    )
    assert [event["values"]["margin"] for event in before] == [0, 0]
    assert all(event["values"]["margin"] > 0.5 and event["values"]["accuracy"] == 1 for event in after)

    exam = done.event("exam")["exam"]
    trained = [answer for answer in exam["answers"] if answer["side"] != "exam"]
    assert len(trained) >= 15
    assert sum(answer["exact"] for answer in trained) >= len(trained) - 1
    assert {section["type"] for section in exam["sections"]} == {"prose", "instruction", "preference"}
    assert {section["adapter"] for section in exam["sections"]} == set(ADAPTERS)

    reality = done.event("reality")
    for what in ("rows", "tokens", "steps"):
        assert reality[what]["planned"] == reality[what]["real"], what
    folder = Path(done.event("commit")["adapter"])
    configs = {name: json.loads((folder / name / "adapter_config.json").read_text()) for name in ADAPTERS}
    assert [configs[name]["r"] for name in ADAPTERS] == [16, 16, 8]
    assert (folder / "_gate" / "gate.safetensors").is_file()
    assert all(config["trainable_token_indices"] for config in configs.values())
    (exported,) = (event for event in done.events if event["event"] == "export")
    assert exported["exporter"] == "gguf"
    assert "answers the same in llama.cpp" in json.dumps(exported)
    asked = desk.dlm("prompt", path, "Where is the pond?", "--explain")
    assert asked.out == "The pond is behind the barn.\n"
    assert re.search(r"gate +ferry 0\.\d+ · inn 0\.\d+ · garden 0\.[5-9]", asked.err)
    assert desk.dlm("prompt", path, "Where is the pond?", "--adapter", "garden").out == asked.out
    assert "nothing changed" in desk.dlm("run", path, "--no-export").err
