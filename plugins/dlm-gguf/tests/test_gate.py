"""Broken files do not get past the gate, and nothing of them stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from dlm_core.api import ExportFailedError, ExportJob, Message, Span, chat_row
from dlm_gguf import adapter, families, merged, parity, peer, pretokenizer, sources, tokenizer, write

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
    real = tokenizer.add_metadata

    def longer(writer: Any, own: tokenizer.Tokenizer) -> None:
        more = tuple(f"[MORE{index}]" for index in range(8))
        real(writer, replace(own, tokens=(*own.tokens, *more), types=(*own.types, *own.types[-8:])))

    monkeypatch.setattr(tokenizer, "add_metadata", longer)
    refused(task("F16"), "does not run")


def test_embeddings_without_rows_for_all_tokens(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tokenizer.read_tokenizer
    monkeypatch.setattr(merged, "with_mean_rows", lambda tensor, rows: tensor)
    monkeypatch.setattr(tokenizer, "read_tokenizer", lambda b, o, s, rows: real(b, o, s, rows + 8))
    with pytest.raises(ExportFailedError, match=r"520 tokens, \w+\.weight only 512 rows"):
        merged.export(task("F16"))


@pytest.mark.parametrize("quant", ["F16", "Q8_0"])
def test_other_answers(quant: str, task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exact file must answer as the engine does; one that is rounded is only reported on."""
    real = peer.ask

    def other(*args: Any) -> Any:
        replies = real(*args)
        ids = [[(each[0] + 1) % 512, *each[1:]] for each in replies.answer_ids]
        return replace(replies, answers=[f"Not {text}" for text in replies.answers], answer_ids=ids)

    monkeypatch.setattr(
        peer, "ask", lambda path, *more: other(path, *more) if quant in path.name else real(path, *more)
    )
    if quant == "F16":
        refused(task(quant), "llama.cpp answers 'Not .*' instead of .* surer of its own")
    else:
        assert merged.export(task(quant))[0].details["parity"]["answers_equal"] == "0/3"


def test_near_ties_are_not_held_against_a_file() -> None:
    questions = peer.Questions(["a"], [[1]], [([1, 2], 4)], [])
    one = np.zeros((1, 8), np.float32)

    def check(lead: float) -> None:
        reference = parity.Reference(questions, [[1]], ["yes"], [], one, False, lambda prompt, answer: lead)
        parity.compare("F32", reference, peer.Replies(8, [[1]], ["no"], [[3]], [], one + 0.0), cast(Any, None))

    one[0, 3] = 1.0
    check(5e-5)
    with pytest.raises(ExportFailedError, match="answers 'no' instead of 'yes'"):
        check(0.5)


def test_the_lead_is_taken_where_an_answer_leaves_the_engines(bases: Make, job: Make, adapt: Make) -> None:
    base = bases(tied=False)
    made = job(base, adapt(base))
    with made.open() as model:
        prompt = model.encode(model.render(made.rows[0].question))
        ours: list[int] = []
        for _ in range(3):
            logits = model.logits([*prompt, *ours])[-1]
            ours.append(int(logits.argmax()))
    other = int(logits.argsort()[-2])
    lead = parity.ask_engine(made, merged.read_model(made).tokenizer).lead
    assert lead(prompt, ours) == 0
    assert lead(prompt, [*ours[:2], other, 5]) == pytest.approx(logits.max() - logits[other], rel=1e-4)


def test_every_prompt_is_tokenized_in_both(bases: Make, job: Make, adapt: Make) -> None:
    base = bases(tied=False)
    asked = [
        chat_row([Message.of("user", f"How many boats has house {n}?"), Message.of("assistant", "Two.")], Span(n + 1))
        for n in range(300)
    ]
    reference = parity.ask_engine(made := job(base, adapt(base), rows=tuple(asked)), merged.read_model(made).tokenizer)
    assert sum("house 299?" in text for text in reference.questions.texts) == 1
    assert len(reference.chats) == len(reference.questions.chats) == parity.CHATS == 50


def test_an_unknown_splitter_is_named() -> None:
    data = {"model": {"type": "BPE", "merges": ["a b"]}, "pre_tokenizer": {"type": "Whitespace"}}
    with pytest.raises(ExportFailedError, match="unknown:Whitespace"):
        pretokenizer.identify(data)
