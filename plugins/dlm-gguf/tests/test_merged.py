"""The exporter `gguf`: what it writes is the merged model, for every family, adapter kind and quantization."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from dlm_core.api import ExportJob, Span, text_row
from dlm_gguf.merged import export, read_model
from dlm_gguf.plugin import QUANTS, Gguf

Make = Callable[..., Any]

ADAPTERS: dict[str, dict[str, Any]] = {
    "rslora": {"use_rslora": True},
    "patterns": {"rank_pattern": {"q_proj": 8}, "alpha_pattern": {"v_proj": 32, "layers.1.mlp.up_proj": 2}},
    "dora": {"use_dora": True},
    "head": {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
    "saved": {"target_modules": ["k_proj"], "modules_to_save": ["lm_head", "embed_tokens"]},
    "embedding-saved": {"target_modules": ["k_proj"], "modules_to_save": ["embed_tokens"]},
    "tokens": {"target_modules": ["o_proj"], "trainable_token_indices": [3, 300]},
}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", ADAPTERS)
def test_merged_weights_are_those_of_peft(kind: str, tied: bool, bases: Make, job: Make, adapt: Make) -> None:
    base = bases(tied=tied)
    adapter = adapt(base, **ADAPTERS[kind])
    model = read_model(job(base, adapter))
    merged = peft_weights(base, adapter)
    room = np.empty(1 << 17, np.float32)
    for source in model.sources:
        found = np.concatenate([source.block(i, i + 1, room).copy() for i in range(rows_of(source))])
        expected = merged[hf_name(source.name)].reshape(found.shape)
        if source.name.endswith(("attn_q.weight", "attn_k.weight")):
            heads = 4 if "attn_q" in source.name else 2
            expected = expected.reshape(heads, 2, -1, 256).swapaxes(1, 2).reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=np.abs(expected).max() * 3e-7, err_msg=source.name)


def peft_weights(base: Path, adapter: Path) -> dict[str, np.ndarray]:
    """Every weight as PEFT computes it when active; the tied head is untied where only one side changes."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    identity = torch.eye(256)
    inner = model.base_model.model
    embedding, head = inner.get_input_embeddings(), inner.get_output_embeddings()
    with torch.no_grad():
        tables = {
            "model.embed_tokens.weight": embedding(torch.arange(512)).numpy(),
            "lm_head.weight": head(identity).T.numpy(),
        }
    try:
        merged = model.merge_and_unload().state_dict()
    except ValueError as error:  # PEFT does not merge into tied weights; the linear layers are what is left
        pytest.skip(str(error))
    return {name: value.numpy() for name, value in merged.items()} | tables


def rows_of(source: Any) -> int:
    return source.shape[0] if len(source.shape) > 1 else 1


def hf_name(name: str) -> str:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for hf in hf_names():
        if names.get_name(hf, try_suffixes=(".weight",)) == name:
            return hf
    raise AssertionError(name)


def hf_names() -> list[str]:
    parts = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj"]
    parts += ["mlp.up_proj", "mlp.down_proj", "input_layernorm", "post_attention_layernorm"]
    layers = [f"model.layers.{i}.{part}.weight" for i in range(2) for part in parts]
    return [*layers, "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"]


@pytest.mark.parametrize(
    ("family", "options", "adapter"),
    [
        ("llama", {"tied": False}, {"use_rslora": True}),
        ("qwen2", {"tied": True, "vocabulary": 544}, {"use_dora": True}),
        ("qwen3", {"tied": False, "heads": 2, "kv_heads": 1}, {}),
    ],
)
def test_every_type_passes_the_gate(
    family: str, options: dict[str, Any], adapter: dict[str, Any], bases: Make, job: Make, adapt: Make
) -> None:
    base = bases(family, **options)
    task: ExportJob = job(base, adapt(base, **adapter), ",".join(QUANTS))
    assert list(Gguf().preflight(task)) == []
    found = {artifact.path.name: artifact for artifact in Gguf().export(task)}
    assert sorted(path.name for path in task.out.iterdir()) == sorted(found)
    for quant in QUANTS:
        artifact = found[f"small.{quant}.gguf"]
        assert artifact.sha256 == hashlib.sha256(artifact.path.read_bytes()).hexdigest()
        assert artifact.details["parity"]["token_ids_equal"] == "69/69"
        assert artifact.details["fallbacks"] == []
    exact = found["small.F32.gguf"].details["parity"]
    assert exact["answers_equal"] == "3/3"
    assert exact["chats_equal"] == "3/3"
    assert exact["mean_kl"] < 1e-10
    written = json.loads((task.out / "small.gguf.json").read_text("utf-8"))
    assert [entry["file"] for entry in written["files"]] == [f"small.{quant}.gguf" for quant in QUANTS]


def test_transformers_reads_the_f32_file_back_exactly(bases: Make, job: Make, adapt: Make) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    base = bases(tied=False)
    task = job(base, adapt(base), "F32")
    path = export(task)[0].path
    again = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    ids = torch.arange(40)[None]
    with task.open() as model, torch.no_grad():
        expected = model.logits(ids[0].tolist())
        np.testing.assert_allclose(again(ids).logits[0].numpy(), expected, atol=2e-5)


def test_the_document_chooses_and_the_proof_is_removed(bases: Make, job: Make, adapt: Make) -> None:
    base = bases(tied=True)
    task = job(base, adapt(base), config={"export": {"default_quant": "Q6_K", "default_top_p": 0.5}})
    found = export(task)
    assert [artifact.path.name for artifact in found] == ["small.Q6_K.gguf", "Modelfile", "small.gguf.json"]
    assert sorted(path.name for path in task.out.iterdir()) == ["Modelfile", "small.Q6_K.gguf", "small.gguf.json"]
    assert found[0].details["proof"]["mean_kl"] < 1e-4
    assert (task.out / "Modelfile").read_text("utf-8") == (
        'FROM ./small.Q6_K.gguf\nPARAMETER num_ctx 256\nPARAMETER stop "<|im_end|>"\n'
        'PARAMETER top_p 0.5\nSYSTEM "You are brief."\n'
    )


def test_without_questions_the_next_tokens_are_compared(bases: Make, job: Make, adapt: Make) -> None:
    base = bases(tied=True)
    file, *_ = export(job(base, adapt(base), rows=(text_row("The harbour lies under a hill of slate.", Span(9)),)))
    assert re.search(r", \d+/\d+ next tokens the same in llama.cpp$", file.details["summary"])
    assert not re.search(r"\b0/0", file.details["summary"])


def test_rows_of_odd_length_are_exported_and_reported(bases: Make, job: Make, adapt: Make) -> None:
    base = bases(hidden=96, intermediate=160, tied=True, dtype="bf16")
    task = job(base, adapt(base), "Q4_K_M")
    details = export(replace(task, rows=task.rows[:1]))[0].details
    assert len(details["fallbacks"]) == 15
    assert details["bits_per_weight"] > 5.5


@pytest.mark.parametrize(("tied", "dtype"), [(True, "fp32"), (False, "bf16")])
def test_tokens_without_embedding_rows_get_theirs(tied: bool, dtype: str, bases: Make, job: Make, adapt: Make) -> None:
    """Training adds rows for such tokens; the file holds the same ones."""
    from dlm_hf.testing import make_small_tokenizer

    base = bases(vocabulary=300, tied=tied, dtype=dtype)
    make_small_tokenizer(base, 400)
    task = job(base, adapt(base), "F32")
    count = len(read_model(task).tokenizer.tokens)
    assert count > 300
    assert list(Gguf().preflight(task)) == []
    artifact = next(iter(Gguf().export(task)))
    assert artifact.details["parity"]["answers_equal"] == "3/3"
    embedding = next(one for one in gguf.GGUFReader(artifact.path).tensors if one.name == "token_embd.weight")
    rows = np.asarray(embedding.data)
    assert rows.shape[0] == count
    np.testing.assert_allclose(rows[300:], np.broadcast_to(rows[:300].mean(0), rows[300:].shape), rtol=0, atol=2e-4)


def test_the_files_template_has_no_clock(bases: Make, job: Make, adapt: Make) -> None:
    """What was trained with a fixed date is asked with it, by every program that runs the file."""
    from dlm_hf.template import CHATML

    base = bases(tied=True, seed=5)
    clock = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}no date{% endif %}"
    (base / "chat_template.jinja").write_text(clock + " {{ strftime_now('%d %b %Y') }}\n" + CHATML, "utf-8")
    artifact = export(job(base, adapt(base), "F16"))[0]
    assert artifact.details["parity"]["chats_equal"] == "3/3"
    field = gguf.GGUFReader(artifact.path).get_field("tokenizer.chat_template")
    assert field is not None
    assert field.contents().startswith("{% if false %}")
    assert "01 Jan 2025" in field.contents()
