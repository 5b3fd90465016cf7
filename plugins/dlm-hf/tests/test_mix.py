"""A mix of adapters is the weighted sum of what they change, weight by weight; what cannot be summed is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from dlm_core.api import BaseModel, LocatedBase, Precision, RunFailedError
from dlm_hf import loading
from dlm_hf.engine import HfEngine
from dlm_hf.merge import merged_tensors
from dlm_hf.mix import mix_adapters
from dlm_hf.open_model import HfOpenModel
from dlm_hf.testing import make_small_base

FP32 = Precision("fp32", "none", "a test")
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
Options = dict[str, Any]
#: What the two adapters are, and their weights.
PAIRS: dict[str, tuple[Options, Options, tuple[float, float]]] = {
    "plain": ({}, {}, (1.0, 0.5)),
    "rank-stabilized": ({"use_rslora": True, "r": 8}, {"use_rslora": True}, (1.0, 0.5)),
    "one of each scale": ({"use_rslora": True}, {"lora_alpha": 32}, (0.7, 0.3)),
    "ranks": ({"r": 2}, {"r": 16, "lora_alpha": 5}, (1.0, 1.0)),
    "targets": ({"target_modules": ["q_proj", "up_proj"]}, {"target_modules": ["v_proj", "up_proj"]}, (1.0, 2.0)),
    "negative": ({}, {"r": 8}, (1.0, -0.75)),
    "zero": ({}, {"r": 8}, (0.0, 1.5)),
    "both zero": ({}, {}, (0.0, 0.0)),
    "patterns": (
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 32}},
        {"alpha_pattern": {"layers.1.mlp.up_proj": 3}},
        (1.0, 1.0),
    ),
    "an embedding": ({"target_modules": [*LINEAR, "embed_tokens"]}, {}, (0.5, 0.5)),
    "token rows": ({"trainable_token_indices": [3, 7, 250]}, {"trainable_token_indices": [7, 9]}, (0.5, 2.0)),
    "rows on one side": ({"trainable_token_indices": [3, 7]}, {}, (0.5, -1.0)),
}


def make_adapter(base: LocatedBase, folder: Path, seed: int, options: Options) -> None:
    model = loading._read(base, FP32)
    torch.manual_seed(seed)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": LINEAR, "task_type": "CAUSAL_LM", **options}
    adapted = peft.get_peft_model(model, peft.LoraConfig(**settings))
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    adapted.save_pretrained(folder, save_embedding_layers=False)


@pytest.fixture(scope="module", params=["untied", "tied"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocatedBase:
    folder = make_small_base(tmp_path_factory.mktemp("mix") / "base", tied=request.param == "tied", layers=1)
    return HfEngine().locate(BaseModel("small", str(folder)), fetch=False)


@pytest.fixture(scope="module")
def untied(tmp_path_factory: pytest.TempPathFactory) -> LocatedBase:
    folder = make_small_base(tmp_path_factory.mktemp("mix") / "base", tied=False)
    return HfEngine().locate(BaseModel("small", str(folder)), fetch=False)


@pytest.mark.parametrize("kind", PAIRS)
def test_a_mix_is_the_sum_of_the_changes(untied: LocatedBase, tmp_path: Path, kind: str) -> None:
    *options, weights = PAIRS[kind]
    for name, seed, option in zip(("one", "two"), (1, 2), options, strict=True):
        make_adapter(untied, tmp_path / "in" / name, seed, option)
    mix = mix_adapters(
        untied, tmp_path / "in", dict(zip(("one", "two"), weights, strict=True)), "mix", tmp_path / "out"
    )
    plain = loading._read(untied, FP32).state_dict()
    merged = [dict(merged_tensors(untied.folder, tmp_path / "in" / name)) for name in ("one", "two")]
    off = true = 0.0
    for name, found in merged_tensors(untied.folder, tmp_path / "out" / "mix"):
        changes = [part[name].double() - plain[name].double() for part in merged]
        wanted = sum(weight * change for weight, change in zip(weights, changes, strict=True))
        off += float((found.double() - plain[name].double() - wanted).square().sum())
        true += float(torch.as_tensor(wanted).square().sum())
    assert off**0.5 <= 2e-6 * max(true**0.5, 1.0)
    assert (true > 0) == (kind != "both zero")
    assert mix.error < 1e-7


def test_the_model_with_the_mix_answers_as_with_both_at_once(base: LocatedBase, tmp_path: Path) -> None:
    """Against peft with both adapters active, where their forward passes are added."""
    for name, seed, option in (("one", 1, {"use_rslora": True}), ("two", 2, {"r": 8})):
        make_adapter(base, tmp_path / "in" / name, seed, option)
    mix_adapters(base, tmp_path / "in", {"one": 1.0, "two": 1.0}, "mix", tmp_path / "out")
    ids = list(range(5, 60))
    model = peft.PeftModel.from_pretrained(loading._read(base, FP32), str(tmp_path / "in" / "one"), adapter_name="one")
    model.load_adapter(str(tmp_path / "in" / "two"), adapter_name="two")
    model.base_model.set_adapter(["one", "two"])
    with torch.no_grad():
        wanted = model(input_ids=torch.tensor([ids])).logits[0]
    with HfOpenModel(base, tmp_path / "out", FP32, None) as opened:
        found = torch.from_numpy(opened.logits(ids, "mix"))
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)
        assert not torch.allclose(found, torch.from_numpy(opened.logits(ids, None)), atol=1e-2)


def test_rows_of_a_mix_answer_as_their_blend(base: LocatedBase, tmp_path: Path) -> None:
    make_adapter(base, tmp_path / "in" / "one", 1, {"trainable_token_indices": [5, 6, 90]})
    mix_adapters(base, tmp_path / "in", {"one": 1.0}, "mix", tmp_path / "out")
    ids = [5, 90, 6, 17, 5]
    with HfOpenModel(base, tmp_path / "in", FP32, None) as opened:
        wanted = torch.from_numpy(opened.logits(ids, "one"))
    with HfOpenModel(base, tmp_path / "out", FP32, None) as opened:
        torch.testing.assert_close(torch.from_numpy(opened.logits(ids, "mix")), wanted, rtol=0, atol=2e-5)


def test_equal_mixes_are_equal_bytes(untied: LocatedBase, tmp_path: Path) -> None:
    make_adapter(untied, tmp_path / "in" / "one", 1, {})
    found = []
    for place in ("a", "b"):
        mix_adapters(untied, tmp_path / "in", {"one": 0.5}, "mix", tmp_path / place)
        files = [tmp_path / place / "mix" / name for name in ("adapter_model.safetensors", "adapter_config.json")]
        found.append([file.read_bytes() for file in files])
        assert str(tmp_path) not in files[1].read_text()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("option", "change", "why"),
    [
        ({"use_dora": True}, {}, "it is a DoRA: .* no low-rank matrices"),
        ({"modules_to_save": ["norm"]}, {}, "replaces .*norm.weight whole"),
        ({}, {"init_lora_weights": "pissa"}, "init_lora_weights: pissa"),
        ({}, {"layer_replication": [[0, 1]]}, "layer_replication"),
    ],
)
def test_what_cannot_be_summed_is_refused(
    untied: LocatedBase, tmp_path: Path, option: Options, change: Options, why: str
) -> None:
    make_adapter(untied, tmp_path / "in" / "one", 1, option)
    make_adapter(untied, tmp_path / "in" / "two", 2, {})
    path = tmp_path / "in" / "one" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunFailedError, match=why):
        mix_adapters(untied, tmp_path / "in", {"one": 1.0, "two": 1.0}, "mix", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_sum_shows(untied: LocatedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reported error is measured on what was written: a wrong sum has a large one."""
    make_adapter(untied, tmp_path / "in" / "one", 1, {})
    make_adapter(untied, tmp_path / "in" / "two", 2, {"r": 2})
    save = mix_module()._save

    def wrong(folder: Path, like: Any, tensors: dict[str, Any], ids: Any) -> None:
        save(folder, like, {name: one * (1.1 if "lora_A" in name else 1) for name, one in tensors.items()}, ids)

    monkeypatch.setattr("dlm_hf.mix._save", wrong)
    mix = mix_adapters(untied, tmp_path / "in", {"one": 1.0, "two": 1.0}, "mix", tmp_path / "out")
    assert mix.error == pytest.approx(0.1, rel=1e-4)


def mix_module() -> Any:
    from dlm_hf import mix

    return mix
