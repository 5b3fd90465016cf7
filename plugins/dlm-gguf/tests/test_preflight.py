"""What is refused before anything is trained, and how the Modelfile is quoted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import Exporter, ExportFailedError, PluginMissingError, Span, UsageError
from dlm_gguf import ggml, merged
from dlm_gguf.modelfile import modelfile, quote
from dlm_gguf.plugin import Gguf, GgufLora

Make = Callable[..., Any]


@pytest.fixture
def untrained(bases: Make, job: Make, tmp_path: Path) -> Callable[..., Any]:
    """A job over a copy of a base whose files `edit` may change, before any adapter exists."""

    def make(edit: Callable[[Path], object] = lambda folder: None, **changes: Any) -> Any:
        folder = shutil.copytree(bases(tied=True), tmp_path / "copy")
        task = job(folder, tmp_path / "none" / "default", **changes)
        edit(folder)
        return task

    return make


def change(file: str, **values: Any) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")

    return edit


def messages(task: Any) -> list[str]:
    return [problem.message for problem in Gguf().preflight(task)]


def place(*keys: str) -> Span:
    """A place for each list of keys, to see which one was asked for."""
    return Span(len("".join(keys)))


def test_nothing_stands_in_the_way_of_a_good_base(untrained: Make) -> None:
    task = untrained()
    assert messages(task) == []
    assert list(GgufLora().preflight(task)) == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (change("config.json", model_type="gpt_bigcode"), "models of type gpt_bigcode"),
        (change("config.json", rope_parameters={"rope_type": "longrope", "rope_theta": 1e4}), "rope of type longrope"),
        (change("config.json", hidden_act="gelu"), "silu"),
        (lambda folder: (folder / "chat_template.jinja").unlink(), "no chat template"),
        (
            lambda folder: (folder / "chat_template.jinja").write_text("{{ messages[0].content }}"),
            "never writes the end",
        ),
        (change("tokenizer_config.json", eos_token=None), ""),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no readable tokenizer.json"),
        (change("tokenizer.json", pre_tokenizer={"type": "Whitespace"}), "no pre-tokenizer that splits"),
        (change("tokenizer.json", added_tokens=[{"id": 600, "content": "<x>", "special": True}]), ""),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no model.safetensors"),
    ],
)
def test_what_a_base_can_lack(edit: Any, words: str, untrained: Make) -> None:
    found = messages(untrained(edit))
    assert (words in found[0]) if words else (found == [])


@pytest.mark.parametrize("exporter", [Gguf(), GgufLora()])
def test_what_a_base_lacks_is_said_at_its_name(exporter: Exporter, untrained: Make) -> None:
    task = replace(untrained(change("config.json", hidden_act="gelu")), where=place)
    assert [(one.code, one.span) for one in exporter.preflight(task)] == [("GGUF0001", place("base_model"))]


def test_an_unknown_quantization_is_named(untrained: Make) -> None:
    with pytest.raises(UsageError, match="no such quantization: Q3_K_S"):
        messages(untrained(quant="Q8_0,Q3_K_S"))


def test_a_full_disk_is_noticed(untrained: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1 << 40, 1 << 40, 1000))
    with pytest.raises(ExportFailedError, match=r"0\.0 GB left"):
        messages(untrained())


def test_a_missing_llama_cpp_is_named(untrained: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ggml, "find_spec", lambda name: None)
    ggml.library.cache_clear()
    with pytest.raises(PluginMissingError, match="xllamacpp") as caught:
        messages(untrained())
    ggml.library.cache_clear()
    assert caught.value.hint == "pip install xllamacpp"


def test_dora_cannot_become_an_adapter_file(untrained: Make) -> None:
    own = "training.adapters.default"
    where = place(f"{own}.adapter", own, "training.adapter", "training.target_modules", "base_model")
    for training in {"adapter": "dora"}, {"adapter": "lora", "adapters": {"default": {"adapter": "dora"}}}:
        task = replace(untrained(config={"training": training}), where=place)
        (problem,) = GgufLora().preflight(task)
        assert (problem.code, problem.message) == ("GGUF0002", "a GGUF adapter cannot hold DoRA")
        assert problem.span == where
        shutil.rmtree(task.base.folder)
    other = untrained(config={"training": {"adapters": {"tone": {"adapter": "dora"}, "default": {"adapter": "lora"}}}})
    assert list(GgufLora().preflight(other)) == []


def test_a_prompt_ollama_cannot_quote_is_a_warning(untrained: Make) -> None:
    found = list(Gguf().preflight(untrained(system_prompt='Say """so""".')))
    assert [(problem.severity, "Modelfile" in problem.message) for problem in found] == [("warning", True)]


def test_the_modelfile_in_full() -> None:
    text = modelfile(
        "a.gguf", system='Say "hi".\nBe brief.', context=512, stops=["<|im_end|>"], temperature=0.25, top_p=1.0
    )
    assert text == (
        'FROM ./a.gguf\nPARAMETER num_ctx 512\nPARAMETER stop "<|im_end|>"\nPARAMETER temperature 0.25\n'
        'PARAMETER top_p 1\nSYSTEM """Say "hi".\nBe brief."""\n'
    )


@pytest.mark.parametrize("text", ['a """ b', 'ends with "'])
def test_what_a_modelfile_cannot_quote(text: str) -> None:
    with pytest.raises(ValueError, match="Modelfile cannot hold"):
        quote(text)
