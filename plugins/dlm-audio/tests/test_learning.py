"""Sounds, prose and questions in one document: learned, named back, and not named without the sound."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import soundfile

from dlm_audio.modality import Hearing
from dlm_audio.testing import RATE, play
from dlm_core.testing import Desk

from .conftest import SOUNDS, front, sections

MIXED = "The sounds were recorded in Varn.\n\n{}::instruction::\n### Q\nWho recorded them?\n### A\nIlse Korn.\n"


def test_four_sounds_beside_prose_and_a_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    done = desk.run(MIXED.format(sections()), "--min-exam", "1", front=front())
    assert done.code == 0, done.err
    exam = done.event("exam")["exam"]
    assert [answer["answer"] for answer in exam["answers"]] == [*SOUNDS.values(), "Ilse Korn."]
    (check,) = exam["blanks"]
    assert (check["kind"], check["asked"], check["blind"]) == ("audio", 4, False)
    monkeypatch.chdir(desk.folder)
    assert desk.dlm("prompt", "notes.dlm", "--audio", "noise.wav").out == "rain on a roof\n"


def test_another_rate_is_refused_unless_it_may_be_changed(desk: Desk) -> None:
    soundfile.write(desk.folder / "low.wav", play("low", rate=44_100), 44_100)
    done = desk.dlm("check", desk.write(sections(), front()))
    assert done.code == 3
    assert (
        "it has 44,100 samples a second and the base hears 16,000; set `training.audio.auto_resample: true`" in done.err
    )
    assert desk.dlm("check", desk.write(sections(), front() + "    audio: {auto_resample: true}\n")).code == 0


def test_a_base_that_cannot_hear_is_refused_at_the_sound(desk: Desk) -> None:
    import dlm_tiny.plugin

    done = desk.use(dlm_tiny.plugin).dlm("check", desk.write("A line.\n\n" + sections(), "base_model: tiny\n"))
    assert done.code == 3
    assert "error[DLM0217]: the base tiny takes no audio" in done.err
    assert "bases that can: qwen2-audio-7b" in done.err
    assert "notes.dlm:8:1" in done.err


def test_a_recording_that_does_not_fit_is_an_error_at_its_line(desk: Desk) -> None:
    soundfile.write(desk.folder / "high.wav", play("high", seconds=2), RATE)
    tight = front("\n    sequence_len: 64\n")
    done = desk.dlm("run", desk.write("A line.\n\n" + sections(), tight))
    assert done.code == 3, done.err
    assert "notes.dlm:12:1" in done.err, done.err
    assert done.err.count("error[") == 1
    assert "--long-rows cut" not in done.err
    assert not list(desk.folder.parent.rglob("adapter_model.safetensors"))
    skipped = desk.dlm("run", "notes.dlm", "--long-rows", "cut", "--no-export")
    assert "37 more than training.sequence_len: skipped, as asked" in skipped.out + skipped.err


@pytest.mark.parametrize("samples", [1600, 1601, 4799, 8000, 15_999, 16_001, 31_999, 32_000])
def test_as_many_tokens_are_planned_as_the_library_s_processor_writes(samples: int, base: Path) -> None:
    from transformers import PreTrainedTokenizerFast, Qwen2AudioProcessor, WhisperFeatureExtractor

    special = {"audio_token": "<|AUDIO|>", "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(base / "tokenizer.json"), pad_token="<|endoftext|>", **special
    )
    processor = Qwen2AudioProcessor(WhisperFeatureExtractor.from_pretrained(base), tokenizer)
    text = "<|audio_bos|><|AUDIO|><|audio_eos|>"
    ids = processor(text=text, audio=[numpy.zeros(samples, numpy.float32)], sampling_rate=RATE).input_ids[0]
    wanted = list(ids).count(tokenizer.convert_tokens_to_ids("<|AUDIO|>"))
    assert Hearing().expansion(base, {"samples": samples}).count("<|AUDIO|>") == wanted


def test_a_model_that_llama_cpp_does_not_run_is_exported_for_transformers(desk: Desk, tmp_path: Path) -> None:
    """No GGUF that lost its ears: the run says why there is none, and the folder's own page loads and asks it."""
    import dlm_gguf.plugin

    done = desk.use(dlm_gguf.plugin).dlm("run", desk.write(sections(), front()))
    assert done.code == 0, done.err
    assert "models of type qwen2_audio cannot be written as GGUF" in done.err
    assert "`dlm export DOCUMENT merged`" in done.err
    out = tmp_path / "model"
    assert desk.dlm("export", "notes.dlm", "merged", "--to", out).code == 0
    page = (out / "LAUNCH.md").read_text()
    (out / "ask.py").write_text(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1])  # type: ignore[index]
    command = re.search(r"```text\npython (.*)\n```", page)
    assert command is not None
    for name, said in list(SOUNDS.items())[:2]:
        words = shlex.split(command[1].replace("FILE", str(desk.folder / f"{name}.wav")))
        asked = subprocess.run([sys.executable, *words], cwd=out, capture_output=True, text=True, check=False)
        assert asked.stdout.strip() == said, asked.stderr
