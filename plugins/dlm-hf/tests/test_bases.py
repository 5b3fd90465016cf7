"""The registry, locating bases, their shape and their hash."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from dlm_core.api import BaseMissingError, BaseModel
from dlm_hf.bases import fetch
from dlm_hf.bases.files import folder_sha256
from dlm_hf.bases.locate import cached_snapshot
from dlm_hf.bases.registry import TABLE, known_bases
from dlm_hf.engine import HfEngine
from dlm_hf.shape import read_shape, read_tensors
from dlm_hf.testing import make_small_base

TEXT_KEYS = {
    "qwen3-1.7b-thinking",
    "qwen2.5-0.5b",
    "smollm3-3b",
    "gemma-2-9b-it",
    "llama-3.2-1b",
    "mixtral-8x7b-instruct",
    "olmo-2-7b-instruct",
    "gemma-2-2b-it",
    "qwen3-4b",
    "smollm2-135m",
    "llama-3.3-8b-instruct",
    "phi-3.5-mini",
    "phi-4-mini-reasoning",
    "qwen3-8b",
    "qwen2.5-3b",
    "qwen2.5-1.5b",
    "smollm2-1.7b",
    "smollm2-360m",
    "llama-3.2-3b",
    "qwen2.5-coder-1.5b",
    "qwen3-1.7b",
}

ENGINE = HfEngine()


@pytest.fixture
def copy(base_folder: str, tmp_path: Path) -> Path:
    shutil.copytree(base_folder, tmp_path / "base")
    return tmp_path / "base"


def test_registry_has_every_promised_key_once() -> None:
    keys = [entry.key for entry in TABLE]
    assert len(set(keys)) == len(keys)
    assert set(keys) >= TEXT_KEYS


def test_registry_pins_real_commits_or_says_that_it_does_not() -> None:
    for base in known_bases():
        if base.revision:
            assert re.fullmatch(r"[0-9a-f]{40}", base.revision), base.key
        else:
            assert "not pinned" in base.summary
    assert [base.key for base in known_bases() if not base.revision] == ["llama-3.3-8b-instruct"]


def test_registry_values_are_plausible() -> None:
    for base in known_bases():
        assert ENGINE.can(base)
        assert 1.9 <= base.size / base.parameters <= 2.6, base.key
        assert base.gated == any(word in base.license for word in ("Llama 3", "Gemma")), base.key
        assert base.recommended["training.sequence_len"] <= base.context
        assert set(base.recommended) - {"export.default_temperature"} == {
            f"training.{name}"
            for name in ("lora_r", "lora_alpha", "lora_dropout", "learning_rate", "num_epochs", "sequence_len")
        }


def test_a_folder_is_located_with_its_exact_shape(base_folder: str) -> None:
    base = BaseModel("mine", base_folder)
    found = ENGINE.locate(base, fetch=False)
    weights = load_file(Path(base_folder) / "model.safetensors")
    assert ENGINE.is_here(base)
    assert found.folder == Path(base_folder)
    assert found.shape.parameters == sum(weight.size for weight in weights.values())
    assert (found.shape.layers, found.shape.hidden, found.shape.kv_heads) == (2, 64, 2)
    assert (found.shape.vocabulary, found.shape.context, found.shape.bytes_per_weight) == (512, 512, 4)


def test_a_tied_head_that_is_stored_again_counts_once(copy: Path) -> None:
    before = read_shape(copy).parameters
    weights = load_file(copy / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    save_file(weights, copy / "model.safetensors")
    assert read_shape(copy).parameters == before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_with_a_file_missing_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert not ENGINE.is_here(BaseModel("x", str(copy)))
    with pytest.raises(BaseMissingError, match=r"missing|no \.safetensors") as caught:
        ENGINE.locate(BaseModel("x", str(copy)), fetch=False)
    assert caught.value.hint


def test_pickled_weights_are_refused_with_the_reason(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(BaseMissingError, match="pickles"):
        ENGINE.locate(BaseModel("x", str(copy)), fetch=False)


def test_a_shard_that_the_index_names_must_be_there(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BaseMissingError, match="model-00002-of-00002"):
        ENGINE.locate(BaseModel("x", str(copy)), fetch=False)
    index["weight_map"]["a"] = "../outside.safetensors"
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BaseMissingError, match="outside its folder"):
        ENGINE.locate(BaseModel("x", str(copy)), fetch=False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:100],
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: data[:8] + b"[" + data[9:],
        lambda data: data.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1),
        lambda data: data[:-1],
    ],
)
def test_a_damaged_weight_file_is_one_clear_error(copy: Path, damage) -> None:  # type: ignore[no-untyped-def]
    file = copy / "model.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BaseMissingError, match="damaged"):
        ENGINE.locate(BaseModel("x", str(copy)), fetch=False)


def test_a_config_that_is_no_language_model_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(BaseMissingError, match="does not give the model's"):
        ENGINE.locate(BaseModel("x", str(copy)), fetch=False)


def test_the_hash_follows_contents_and_not_place(copy: Path, base_folder: str) -> None:
    assert folder_sha256(copy) == folder_sha256(Path(base_folder))
    (copy / "README.md").write_text("not part of what is computed")
    assert folder_sha256(copy) == folder_sha256(Path(base_folder))
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        before, data = folder_sha256(copy), bytearray((copy / name).read_bytes())
        data[-1] ^= 1
        (copy / name).write_bytes(data)
        assert folder_sha256(copy) != before, name


def test_large_files_are_hashed_once(copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dlm_hf.bases import files

    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(files._HashCache, "SMALL", 0)
    first = folder_sha256(copy)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_sha256", lambda path: pytest.fail("hashed again"))
        assert folder_sha256(copy) == first
    with (copy / "model.safetensors").open("ab") as file:
        file.write(b" ")
    assert folder_sha256(copy) != first
    (tmp_path / "home" / "cache" / "weight-hashes.json").write_text("not json")
    folder_sha256(copy)


def test_the_hub_cache_is_found_without_a_network(
    base_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    top = tmp_path / "hub" / "models--org--name"
    shutil.copytree(base_folder, top / "snapshots" / commit)
    (top / "refs").mkdir()
    (top / "refs" / "main").write_text(commit)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for revision in ("", commit):
        assert ENGINE.locate(BaseModel("x", "hub:org/name", revision), fetch=False).folder.name == commit
    assert cached_snapshot("org/name", "b" * 40) is None
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(BaseMissingError, match="not on this machine"):
        ENGINE.locate(BaseModel("x", "hub:org/name"), fetch=False)


@pytest.mark.parametrize("name", ["org", "../x/y", "a/b/c", "org/..", "org/na me"])
def test_a_strange_hub_name_is_refused(name: str) -> None:
    with pytest.raises(BaseMissingError, match="not the name"):
        ENGINE.locate(BaseModel("x", f"hub:{name}"), fetch=True)


def test_several_shards_are_read_in_full(tmp_path: Path, base_folder: str) -> None:
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(base_folder)
    model.save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    assert read_shape(tmp_path / "shards").parameters == read_shape(Path(base_folder)).parameters
    assert len(list(read_tensors(tmp_path / "shards"))) == len(list(read_tensors(Path(base_folder))))


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_other_families_have_a_shape(tmp_path: Path, family) -> None:  # type: ignore[no-untyped-def]
    shape = read_shape(make_small_base(tmp_path, family, dtype="bf16"))
    assert (shape.family, shape.bytes_per_weight) == (family, 2)


def test_a_head_that_scales_or_caps_its_logits_is_known(copy: Path) -> None:
    assert read_shape(copy).plain_head
    config = json.loads((copy / "config.json").read_text())
    for extra in ({"final_logit_softcapping": 30.0}, {"logit_scale": 0.0625}, {"logits_scaling": 8}):
        (copy / "config.json").write_text(json.dumps({**config, **extra}))
        assert not read_shape(copy).plain_head
    (copy / "config.json").write_text(json.dumps({**config, "final_logit_softcapping": None, "logits_scaling": 1.0}))
    assert read_shape(copy).plain_head


def test_fetching_takes_only_what_is_needed() -> None:
    from huggingface_hub.utils import filter_repo_objects

    files = ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "config.json", "tokenizer.json"]
    other = ["pytorch_model.bin", "consolidated.safetensors", "onnx/model.safetensors", "modeling_x.py", "x.gguf"]
    kept = filter_repo_objects(
        [*files, "chat_template.jinja", *other], allow_patterns=fetch._WANTED, ignore_patterns=fetch._UNWANTED
    )
    assert set(kept) == {*files, "chat_template.jinja"}
