"""A base that sees keeps its eyes in GGUF: two files, and llama.cpp itself shown the document's own pictures."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import gguf
import pytest
from safetensors import safe_open

from dlm_core.testing import Desk
from dlm_image.testing import make_seeing_base

from .conftest import PICTURES, front, sections


@pytest.fixture
def exported(desk: Desk) -> Path:
    """A folder with the four pictures learned and exported, at F16 and Q8_0."""
    import dlm_gguf.plugin

    done = desk.use(dlm_gguf.plugin).run(sections(), "--no-export", front=front())
    assert done.code == 0, done.err
    out = desk.folder / "out"
    done = desk.dlm("export", "notes.dlm", "gguf", "-o", "quant=F16,Q8_0", "--to", out)
    assert done.code == 0, done.err
    assert done.err.count("4/4 about files the same in llama.cpp") + done.out.count("4/4 about files") == 2
    return out


def test_llama_cpp_names_each_picture_as_the_engine_does(
    exported: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    details = json.loads((exported / "notes.gguf.json").read_text())["files"]
    halves, bytes8, tower = details
    assert (halves["shown"]["equal"], bytes8["shown"]["equal"]) == ("4/4", "4/4")
    assert tower["file"] == "mmproj-notes.gguf"
    (row,) = desk.dlm("tokens", "notes.dlm:14", "--json").json["rows"]
    prompt = [token["labelled"] for token in row["pieces"][0]["tokens"]].index(True)
    # The family's template writes a blank after "User:" unless a picture comes first, which llama.cpp does not tell it.
    assert halves["shown"]["tokens"] == [prompt + 1] * 4
    begin = (exported / "Modelfile").read_text().splitlines()[:2]
    assert begin == ["FROM ./notes.F16.gguf", "FROM ./mmproj-notes.gguf"]


def test_every_tensor_of_the_base_is_in_one_of_the_files(exported: Path, desk: Desk) -> None:
    with safe_open(desk.folder / "base" / "model.safetensors", "np") as stored:
        wanted = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    found = [
        tuple(reversed(tensor.shape.tolist()))
        for name in ("notes.F16.gguf", "mmproj-notes.gguf")
        for tensor in gguf.GGUFReader(exported / name).tensors
    ]
    assert sorted(found) == sorted(wanted.values())


def test_a_tower_that_sees_something_else_is_found_out(exported: Path, desk: Desk, tmp_path: Path) -> None:
    from dlm_core.api import ExportFailedError
    from dlm_gguf import shown, towers
    from dlm_gguf.adapter import Adapter
    from dlm_gguf.weights import read_folder
    from dlm_gguf.write import write_all

    other = make_seeing_base(tmp_path / "other", seed=7)
    tower = towers.read_tower(other, read_folder(other), Adapter())
    assert tower is not None
    with tower.target(tmp_path / "wrong.gguf") as target:
        write_all(tower.sources, [target])
        target.finish()
    from dlm_image.kind import Image

    captions, chats = [], []
    for name, (_, _, caption) in list(PICTURES.items())[:2]:
        mime, data = Image().to_file(Image().load((desk.folder / f"{name}.png").read_bytes(), {}))
        content = [shown.file_part(mime, data), {"type": "text", "text": Image.question}]
        chats.append([{"role": "user", "content": content}])
        captions.append(caption)
    asked = shown.Shown(chats, captions, 24)
    right = shown.compare(asked, exported / "notes.F16.gguf", exported / "mmproj-notes.gguf", 512)
    assert right["equal"] == "2/2"
    with pytest.raises(ExportFailedError, match="shown the same file, llama"):
        shown.compare(asked, exported / "notes.F16.gguf", tmp_path / "wrong.gguf", 512)


def test_the_folder_for_transformers_says_how_to_ask_it(desk: Desk, tmp_path: Path) -> None:
    assert desk.run(sections(), "--no-export", front=front()).code == 0
    out = tmp_path / "model"
    assert desk.dlm("export", "notes.dlm", "merged", "--to", out).code == 0
    page = (out / "LAUNCH.md").read_text()
    script, command = re.search(r"```python\n(.*?)```", page, re.DOTALL), re.search(r"```text\npython (.*)\n```", page)
    assert script
    assert command
    (out / "ask.py").write_text(script[1])
    words = shlex.split(command[1].replace("FILE", str(desk.folder / "cross.png")))
    asked = subprocess.run([sys.executable, *words], cwd=out, capture_output=True, text=True, check=False)
    assert asked.stdout.strip() == "a black cross", asked.stderr
