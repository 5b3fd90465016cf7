"""The exporter `gguf-lora`: PEFT's scale is in the file, and what the format cannot hold is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from dlm_core.api import ExportFailedError
from dlm_gguf import lora
from dlm_gguf.plugin import GgufLora

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("options", "tied", "scales"),
    [
        ({"use_rslora": True}, True, {"blk.0.attn_v": 8 / 2}),
        (
            {"rank_pattern": {"q_proj": 8}, "alpha_pattern": {"v_proj": 32}},
            True,
            {"blk.0.attn_q": 8 / 8, "blk.1.attn_v": 32 / 4, "blk.1.ffn_up": 8 / 4},
        ),
        (
            {"target_modules": ["q_proj", "embed_tokens", "lm_head"], "save_embedding_layers": False},
            False,
            {"output": 2.0},
        ),
    ],
)
def test_adapter_over_base_is_peft(
    options: dict[str, Any], tied: bool, scales: dict[str, float], bases: Make, job: Make, adapt: Make
) -> None:
    base = bases(tied=tied)
    task = job(base, adapt(base, **options))
    assert list(GgufLora().preflight(task)) == []
    artifact, written = GgufLora().export(task)
    assert sorted(task.out.iterdir()) == sorted([artifact.path, written.path])
    assert artifact.details["parity"]["mean_kl"] < 1e-5
    assert artifact.details["parity"]["answers_equal"] == "3/3"
    matrices = {tensor.name: tensor.data for tensor in GGUFReader(artifact.path).tensors}
    stored = peft_tensors(task.adapter)
    for name, scale in scales.items():
        expected = stored[name] * np.float32(scale)
        np.testing.assert_array_equal(np.sort(matrices[f"{name}.weight.lora_b"], axis=0), np.sort(expected, axis=0))


def peft_tensors(folder: Path) -> dict[str, np.ndarray]:
    """The B matrices of an adapter under llama.cpp's names."""
    from safetensors.numpy import load_file

    names = {"attn_q": "self_attn.q_proj", "attn_v": "self_attn.v_proj", "ffn_up": "mlp.up_proj"}
    found = {}
    for key, value in load_file(folder / "adapter_model.safetensors").items():
        for ours, theirs in names.items():
            for layer in range(2):
                if f"layers.{layer}.{theirs}.lora_B" in key:
                    found[f"blk.{layer}.{ours}"] = value
        if "lm_head.lora_B" in key:
            found["output"] = value
    return found


@pytest.mark.parametrize(
    ("options", "tied", "words"),
    [
        ({"use_dora": True}, True, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, False, "a whole new lm_head.weight"),
        ({"trainable_token_indices": [3]}, True, "new token rows of model.embed_tokens"),
        ({"target_modules": ["lm_head"]}, True, "a LoRA on the tied lm_head"),
    ],
)
def test_what_the_format_cannot_hold(
    options: dict[str, Any], tied: bool, words: str, bases: Make, job: Make, adapt: Make
) -> None:
    base = bases(tied=tied)
    task = job(base, adapt(base, **options))
    with pytest.raises(ExportFailedError, match=words) as caught:
        GgufLora().export(task)
    assert caught.value.hint is not None
    assert "exporter gguf" in caught.value.hint
    assert not task.out.exists()
    assert [problem.message for problem in GgufLora().preflight(task)] == [caught.value.message]


def test_a_wrong_scale_is_refused(bases: Make, job: Make, adapt: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lora.lora_matrices

    def plain(adapter: Any, shape: Any) -> Any:
        deltas = {m: type(d)(d.a, d.b, d.scale / 2, d.embedding) for m, d in adapter.deltas.items()}
        return real(type(adapter)(adapter.config, deltas), shape)

    monkeypatch.setattr(lora, "lora_matrices", plain)
    base = bases(tied=True)
    task = job(base, adapt(base, use_rslora=True))
    with pytest.raises(ExportFailedError, match="computes something else"):
        lora.export(task)
    assert list(task.out.iterdir()) == []
