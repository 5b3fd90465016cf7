"""Merged weights equal peft's own merge, and the exporter's folder answers as base and adapter do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from dlm_core.api import BaseModel, ExportFailedError, ExportJob, LocatedBase, Precision, Span, text_row
from dlm_hf import loading, merged_folder
from dlm_hf.coder import load_coder
from dlm_hf.embeddings import fit_embeddings
from dlm_hf.engine import HfEngine
from dlm_hf.exporters import Merged
from dlm_hf.merge import merged_tensors
from dlm_hf.open_model import HfOpenModel
from dlm_hf.template import CHATML
from dlm_hf.testing import make_small_base, make_small_tokenizer

FP32 = Precision("fp32", "none", "a test")
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rank-stabilized": {"use_rslora": True},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 32}},
    "embedding": {"target_modules": [*LINEAR, "embed_tokens"]},
    "saved": {"modules_to_save": ["norm"]},
    "token rows": {"trainable_token_indices": [3, 7, 250]},
    "module's alpha": {"alpha_pattern": {"layers.1.self_attn.v_proj": 32, "v_proj": 4}},
}


def locate(folder: Path) -> LocatedBase:
    return HfEngine().locate(BaseModel("small", str(folder)), fetch=False)


def make_adapter(base: LocatedBase, folder: Path, rows: int = 0, **options: Any) -> Path:
    model = loading._read(base, FP32)
    fit_embeddings(model, rows)
    torch.manual_seed(3)
    config = peft.LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": LINEAR, "task_type": "CAUSAL_LM", **options})
    adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return folder


def job(base: LocatedBase, adapter: Path, out: Path, **options: str) -> ExportJob:
    return ExportJob(
        name="notes",
        dlm_id="0" * 26,
        version=1,
        base=base,
        adapter=adapter,
        rows=(text_row("The harbour of Brenmark lies under a hill.", Span(1)),),
        system_prompt=None,
        config={},
        options=options,
        out=out,
        open=lambda: HfOpenModel(base, adapter.parent, FP32, None),
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LocatedBase:
    return locate(make_small_base(tmp_path_factory.mktemp("merge") / "base", "qwen2", tied=False))


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_are_those_of_pefts_own_merge(base: LocatedBase, tmp_path: Path, kind: str) -> None:
    adapter = make_adapter(base, tmp_path / "default", **KINDS[kind])
    wanted = peft.PeftModel.from_pretrained(loading._read(base, FP32), str(adapter)).merge_and_unload().state_dict()
    plain = loading._read(base, FP32).state_dict()
    changed = 0
    for name, tensor in merged_tensors(base.folder, adapter):
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=1e-6)
        changed += not torch.equal(tensor, plain[name])
    assert changed >= 14


def test_the_folder_loads_and_answers_as_the_adapter_does(base: LocatedBase, tmp_path: Path) -> None:
    adapter = make_adapter(base, tmp_path / "adapters" / "default")
    artifacts = list(Merged().export(job(base, adapter, tmp_path / "out", check="yes")))
    assert {one.path.name for one in artifacts} >= {"model.safetensors", "config.json", "tokenizer.json"}
    weights = next(one for one in artifacts if one.path.name == "model.safetensors")
    assert weights.details["mean_kl"] < 1e-9
    assert weights.details["top1_agreement"] == 1
    assert not list((tmp_path / "out").glob("*.part"))
    reloaded = loading._read(locate(tmp_path / "out"), FP32)
    assert sum(1 for _ in reloaded.parameters()) > 10


def test_shards_are_mirrored_and_16_bit_bases_stay_16_bit(tmp_path: Path) -> None:
    base = locate(make_small_base(tmp_path / "one", dtype="bf16"))
    model = loading._read(base, Precision("bf16", "none", ""))
    shutil.copytree(base.folder, tmp_path / "base")
    (tmp_path / "base" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "base", max_shard_size="60KB")
    base = locate(tmp_path / "base")
    adapter = make_adapter(base, tmp_path / "adapters" / "default")
    list(Merged().export(job(base, adapter, tmp_path / "out")))
    shards = sorted(path.name for path in (tmp_path / "base").glob("*.safetensors"))
    assert len(shards) > 1
    assert sorted(path.name for path in (tmp_path / "out").glob("*.safetensors")) == shards
    for name in shards:
        old, new = load_file(tmp_path / "base" / name), load_file(tmp_path / "out" / name)
        assert {key: (value.shape, value.dtype) for key, value in old.items()} == {
            key: (value.shape, value.dtype) for key, value in new.items()
        }


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("kind", ["plain", "embedding"])
def test_tokens_without_embedding_rows_get_theirs(tmp_path: Path, kind: str, sharded: bool) -> None:
    """The folder is a whole model: another program need not know how rows were added in training."""
    folder = make_small_base(tmp_path / "base", vocabulary=300, tied=False)
    make_small_tokenizer(folder, 400)
    ids = load_coder(folder).vocabulary_size
    assert ids > 300
    if sharded:
        whole = loading._read(locate(folder), FP32)
        (folder / "model.safetensors").unlink()
        whole.save_pretrained(folder, max_shard_size="60KB")
    base = locate(folder)
    adapter = make_adapter(base, tmp_path / "adapters" / "default", rows=ids, **KINDS[kind])
    list(Merged().export(job(base, adapter, tmp_path / "out")))
    config = json.loads((tmp_path / "out/config.json").read_text(encoding="utf-8"))
    assert config["vocab_size"] == ids
    merged = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    text = torch.arange(ids - 60, ids)[None]
    with HfOpenModel(base, adapter.parent, FP32, None) as model, torch.no_grad():
        expected = torch.from_numpy(model.logits(text[0].tolist()))
        torch.testing.assert_close(merged(text).logits[0], expected, rtol=0, atol=1e-4)


def test_the_folders_template_has_no_clock(base: LocatedBase, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(base.folder, folder)
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["chat_template"] = "{{ strftime_now('%Y-%m-%d') }} " + CHATML
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    adapter = make_adapter(base, tmp_path / "adapters" / "default")
    artifacts = list(Merged().export(job(locate(folder), adapter, tmp_path / "out", check="no")))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    chat = [{"role": "user", "content": "Who?"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False).startswith("2025-01-01 <|im_start|>user")
    assert "chat_template.jinja" in {one.path.name for one in artifacts}


def test_a_full_disk_leaves_nothing(base: LocatedBase, tmp_path: Path) -> None:
    import resource

    adapter = make_adapter(base, tmp_path / "adapters" / "default")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, usual[1]))
    try:
        with pytest.raises(ExportFailedError, match="writing failed"):
            list(Merged().export(job(base, adapter, tmp_path / "out")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_wrong_merge_is_caught_and_nothing_is_left(
    base: LocatedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make_adapter(base, tmp_path / "adapters" / "default")
    monkeypatch.setattr("dlm_hf.merge.lora_scale", lambda *_: 40.0)
    with pytest.raises(ExportFailedError, match="does not answer"):
        list(Merged().export(job(base, adapter, tmp_path / "out")))
    assert list((tmp_path / "out").iterdir()) == []


def test_an_adapter_of_another_base_is_refused(base: LocatedBase, tmp_path: Path) -> None:
    adapter = make_adapter(base, tmp_path / "default")
    values = load_file(adapter / "adapter_model.safetensors")
    renamed = {name.replace("layers.1", "layers.7"): value for name, value in values.items()}
    save_file(renamed, adapter / "adapter_model.safetensors")
    with pytest.raises(ExportFailedError, match=r"layers\.7"):
        list(merged_tensors(base.folder, adapter))


def test_values_that_are_not_finite_are_refused(base: LocatedBase, tmp_path: Path) -> None:
    adapter = make_adapter(base, tmp_path / "default")
    values = load_file(adapter / "adapter_model.safetensors")
    next(iter(values.values()))[0, 0] = float("nan")
    save_file(values, adapter / "adapter_model.safetensors")
    with pytest.raises(ExportFailedError, match="finite"):
        list(Merged().export(job(base, adapter, tmp_path / "out")))


def test_a_base_that_cannot_be_merged_into_is_told_before_training(base: LocatedBase, tmp_path: Path) -> None:
    folder = tmp_path / "eight"
    shutil.copytree(base.folder, folder)
    values = load_file(folder / "model.safetensors")
    values["model.norm.weight"] = values["model.norm.weight"].to(torch.float8_e4m3fn)
    save_file(values, folder / "model.safetensors")
    (problem,) = Merged().preflight(job(locate(folder), Path("/nonexistent"), Path("/nonexistent")))
    assert "F8_E4M3" in problem.message
    assert not list(Merged().preflight(job(base, Path("/nonexistent"), Path("/nonexistent"))))


def test_kl_and_agreement_of_known_logits() -> None:
    import numpy as np

    left = np.log(np.array([[0.5, 0.25, 0.25], [0.2, 0.7, 0.1]]))
    right = np.log(np.array([[0.25, 0.5, 0.25], [0.2, 0.7, 0.1]]))
    kl, top = merged_folder.kl_and_top1(left, right)
    assert kl == pytest.approx((0.5 * np.log(2) - 0.25 * np.log(2)) / 2)
    assert top == 0.5
