"""Broken files do not get past the gate, and nothing of them stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlm_core.api import ExportFailedError, ExportJob
from dlm_gguf import adapter, families, merged, pretokenizer, sources, tokenizer, write

Make = Callable[..., Any]


@pytest.fixture
def task(bases: Make, job: Make, adapt: Make) -> Callable[[str], ExportJob]:
    def make(quant: str) -> ExportJob:
        base = bases(tied=False)
        return job(base, adapt(base, use_rslora=True), quant)  # type: ignore[no-any-return]

    return make


def refused(job: ExportJob, words: str) -> None:
    with pytest.raises(ExportFailedError, match=words):
        merged.export(job)
    assert list(job.out.iterdir()) == []


@pytest.mark.parametrize("quant", ["F16", "Q4_K_M"])
def test_rows_not_permuted(quant: str, task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "rotary_order", lambda rows, heads: np.arange(rows))
    refused(task(quant), "computes something else in llama.cpp: mean KL")


@pytest.mark.parametrize("quant", ["F32", "Q8_0"])
def test_rslora_scaled_as_plain_lora(quant: str, task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "lora_scale", lambda config, module, rank: config["lora_alpha"] / rank)
    refused(task(quant), "computes something else")


def test_a_wrong_rope_base(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = families.read_shape
    monkeypatch.setattr(families, "read_shape", lambda f: replace(s := real(f), rope={**s.rope, "rope_theta": 5e5}))
    refused(task("Q8_0"), "computes something else")


def test_another_pretokenizer(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "identify", lambda data: ("gpt2", "smollm"))
    refused(task("F16"), "splits .* into other tokens")


def test_another_template(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tokenizer.read_template
    monkeypatch.setattr(tokenizer, "read_template", lambda *a: (real(*a) or "").replace("<|im_end|>", "<|im_start|>"))
    refused(task("F16"), "renders a chat as")


def test_a_template_llama_cpp_cannot_read(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "read_template", lambda *a: "{% for m in messages %}{{ m.content ")
    refused(task("F16"), "llama.cpp does not run small.F16.gguf")


@pytest.mark.parametrize("quant", ["Q4_K_M", "Q6_K"])
def test_blocks_encoded_from_other_rows(quant: str, task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write.ggml.encode

    def swapped(kind: Any, weights: Any, out: Any) -> memoryview:
        broken = kind in write.ggml.K_QUANTS
        return real(kind, np.ascontiguousarray(weights[::-1]) if broken else weights, out)

    monkeypatch.setattr(write.ggml, "encode", swapped)
    refused(task(quant), "encoded wrongly")


def test_a_truncated_file(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write.Target.flush

    def cut(self: write.Target) -> None:
        real(self)
        with self.part.open("r+b") as stream:
            stream.truncate(self.part.stat().st_size - 4096)

    monkeypatch.setattr(write.Target, "flush", cut)
    monkeypatch.setattr(merged.parity, "check_encoding", lambda *a: {})
    refused(task("F16"), "does not run .*(corrupted|not within|bounds)")


def test_a_vocabulary_of_another_length(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tokenizer.read_tokenizer
    monkeypatch.setattr(tokenizer, "read_tokenizer", lambda b, o, s, rows: real(b, o, s, rows + 8))
    refused(task("F16"), "does not run")


def test_an_unknown_splitter_is_named() -> None:
    data = {"model": {"type": "BPE", "merges": ["a b"]}, "pre_tokenizer": {"type": "Whitespace"}}
    with pytest.raises(ExportFailedError, match="unknown:Whitespace"):
        pretokenizer.identify(data)
