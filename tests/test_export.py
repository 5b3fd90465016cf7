"""`dlm export`: every format, every quantization, held against the original."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlm_core import hookimpl
from dlm_core.api import Artifact, Exporter

QUANTS = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"]


def test_a_run_leaves_a_gguf_that_llama_cpp_answers_with(trained):
    _desk, _path, result = trained
    line = next(line for line in result.out.splitlines() if line.startswith("  gguf"))
    file = Path(line.split(maxsplit=1)[1])
    assert file.name == "notes.Q4_K_M.gguf"
    assert file.read_bytes()[:4] == b"GGUF"
    manifest = json.loads((file.parent / "notes.gguf.json").read_text())
    (about,) = manifest["files"]
    assert about["parity"]["token_ids_equal"].split("/")[0] == about["parity"]["token_ids_equal"].split("/")[1]
    assert about["proof"]["answers_equal"] == "4/4"
    assert "FROM ./notes.Q4_K_M.gguf" in (file.parent / "Modelfile").read_text()


def test_every_quantization_is_written_and_loads(trained, tmp_path):
    desk, path, _ = trained
    result = desk.dlm("export", path, "gguf", "-o", f"quant={','.join(QUANTS)}", "--to", tmp_path / "out")
    assert result.code == 0, result.err
    files = {file.name: file.stat().st_size for file in (tmp_path / "out").glob("*.gguf")}
    assert sorted(files) == sorted(f"notes.{quant}.gguf" for quant in QUANTS)
    sizes = [files[f"notes.{quant}.gguf"] for quant in QUANTS]
    assert sizes == sorted(sizes, reverse=True)
    details = json.loads((tmp_path / "out" / "notes.gguf.json").read_text())["files"]
    assert {item["quant"] for item in details if item["parity"]["answers_equal"] == "4/4"} >= {"F32", "F16", "Q8_0"}


def test_the_gguf_gives_the_same_answer_in_llama_cpp(trained):
    xllamacpp = pytest.importorskip("xllamacpp")
    _desk, _path, result = trained
    line = next(line for line in result.out.splitlines() if line.startswith("  gguf"))
    parameters = xllamacpp.CommonParams()
    parameters.model.path = line.split(maxsplit=1)[1]
    parameters.n_ctx = 256
    parameters.cpuparams.n_threads = 1
    parameters.sampling.temp = 0.0
    server = xllamacpp.Server(parameters)
    said = server.handle_chat_completions(
        {"messages": [{"role": "user", "content": "Who built the lighthouse of Varn?"}], "max_tokens": 32}
    )
    answer = said if isinstance(said, dict) else json.loads(said)
    assert answer["choices"][0]["message"]["content"].strip() == "Ilse Korn built it."


def test_the_document_chooses_the_quantization(used):
    desk, path = used()
    path.write_text(path.read_text().replace("base_model: tiny\n", "base_model: tiny\nexport: {default_quant: Q8_0}\n"))
    result = desk.dlm("export", path, "gguf")
    assert result.code == 0, result.err
    assert "notes.Q8_0.gguf" in result.out


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("adapter", "adapter_model.safetensors"),
        ("merged", "model.safetensors"),
        ("gguf-lora", "notes.lora.gguf"),
    ],
)
def test_the_other_formats_leave_their_files(trained, tmp_path, name, file):
    desk, path, _ = trained
    result = desk.dlm("export", path, name, "--to", tmp_path / name)
    assert result.code == 0, result.err
    assert (tmp_path / name / file).stat().st_size > 10_000


def test_merged_weights_answer_like_the_adapter(trained, tmp_path):
    desk, path, _ = trained
    assert desk.dlm("export", path, "merged", "--to", tmp_path / "merged").code == 0
    merged = desk.write(name="merged.dlm")
    text = merged.read_text().replace("base_model: tiny", f"base_model: {tmp_path / 'merged'}")
    merged.write_text(text.replace("5e-3", "1e-9").replace("01KAPQ5T0J8E6M3Y7VZ2R4W9XC", "01KAPQ5T0J8E6M3Y7VZ2R4W9XD"))
    events = desk.dlm("train", merged, "--json").events
    exam = next(event for event in events if event["event"] == "exam")["exam"]
    assert all(section["before"] < 0.5 for section in exam["sections"]), "the merged base already knows the document"


def test_options_and_formats_are_checked(trained):
    desk, path, _ = trained
    for arguments, code, said in [
        (["gguf", "-o", "quant=Q9"], 2, "Q9"),
        (["gguf", "-o", "speed=fast"], 2, "no export option 'speed'"),
        (["guff"], 2, "did you mean 'gguf'?"),
        (["gguf", "--version", "7"], 2, "there is no version 7"),
        (["gguf", "--adapter", "blue"], 2, "no adapter 'blue'"),
    ]:
        result = desk.dlm("export", path, *arguments)
        assert (result.code, said in result.err, "Traceback" in result.err) == (code, True, False), result.err


def test_what_a_format_cannot_hold_is_said_at_its_place(desk):
    front = 'system_prompt: Say "noon"\n'
    path = desk.write("::instruction::\n### Q\nWhen?\n### A\nNoon.\n", "  adapter: dora\n  num_epochs: 1\n", front)
    assert desk.dlm("run", path, "--no-export").code == 0
    refused = desk.dlm("export", path, "gguf-lora")
    assert refused.code == 3
    assert f"error[GGUF0002]: gguf-lora: a GGUF adapter cannot hold DoRA\n --> {path}:7:12\n" in refused.err
    assert "warning[GGUF0004]" not in refused.err
    warned = desk.dlm("export", path, "gguf")
    assert (warned.code, "Modelfile" in warned.out) == (0, False), warned.err
    assert f"{path}:5:16: warning[GGUF0004]: gguf: no Modelfile" in warned.err


def test_a_version_is_not_exported_over_another_base(used, tmp_path):
    import shutil

    import dlm_tiny

    desk, path = used()
    other = tmp_path / "base"
    shutil.copytree(Path(dlm_tiny.__file__).parent / "model", other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(
        json.dumps({**config, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}})
    )
    path.write_text(path.read_text().replace("base_model: tiny", f"base_model: {other}"))
    refused = desk.dlm("export", path, "gguf")
    assert refused.code == 1
    assert "other files" in refused.err


def test_formats_are_listed(trained):
    desk, path, _ = trained
    assert "gguf-lora" in desk.dlm("export", path, "--list").out


@pytest.mark.parametrize(
    ("give", "said"),
    [
        (lambda job: [("a", "b")], "TypeError in the exporter 'odd': it gave ('a', 'b'), not an Artifact"),
        (lambda job: [Artifact(job.out / "nothing", "")], "nothing, which is no file in the folder of the export"),
        (lambda job: [Artifact(job.base.folder / "config.json", "")], "which is no file in the folder of the export"),
        (lambda job: [{}["none"]], "KeyError in the exporter 'odd': 'none'"),
    ],
)
def test_what_an_exporter_must_not_leave(dlm_desk, tmp_path, give, said):
    class Odd(Exporter):
        name = "odd"
        help = "odd"

        def export(self, job):
            return give(job)

    class Plugin:
        @hookimpl
        def dlm_exporters(self):
            return [Odd()]

    dlm_desk.use(Plugin())
    path = dlm_desk.write("One two three.\n")
    assert dlm_desk.dlm("run", path, "--no-export").code == 0
    refused = dlm_desk.dlm("export", path, "odd")
    assert (refused.code, said in refused.err) == (1, True), refused.err
    assert not list(tmp_path.rglob("exports/v0001/*"))
