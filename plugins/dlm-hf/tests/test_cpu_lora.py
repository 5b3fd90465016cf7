"""LoRA as one operation gives what PEFT's gives, in every state that PEFT's layers can be in."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dlm_core.api import AdapterSettings
from dlm_hf import lora
from dlm_hf.imports import prepare

prepare()

from dlm_hf.cpu_linear import exact, multiply_in_bf16  # noqa: E402 - after `prepare`

IDS = torch.tensor([[3, 4, 5, 6, 7, 8, 9], [13, 14, 15, 16, 17, 18, 19]])


def base(kind: str) -> Any:
    import transformers

    torch.manual_seed(0)
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, initializer_range=0.2)
        return transformers.GPT2LMHeadModel(config).requires_grad_(False)
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**sizes, **heads)).requires_grad_(False)


def adapted(kind: str, dropout: float, *, quick: bool, bf16: bool = False, adapter: str = "lora") -> Any:
    model = base(kind).eval()
    if bf16:
        assert multiply_in_bf16(model)
    torch.manual_seed(1)
    made = lora.attach(model, AdapterSettings(adapter, 4, 8, dropout), "base")
    for name, one in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(one, std=0.1)
    if not quick:
        for module in made.modules():
            module.__dict__.pop("forward", None)
    return made


def quickened(model: Any) -> int:
    return sum("forward" in module.__dict__ for module in model.modules())


def learn(model: Any, training: bool = True) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits, and the gradients of what learns."""
    model.train(training)
    torch.manual_seed(2)
    logits = model(input_ids=IDS, use_cache=False).logits
    torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), IDS[:, 1:].flatten()).backward()
    gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return logits.detach(), gradients


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


@pytest.mark.parametrize("kind", ["qwen2", "gpt2"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("training", [True, False])
def test_in_float32_it_is_pefts(kind: str, dropout: float, training: bool) -> None:
    peft, ours = adapted(kind, dropout, quick=False), adapted(kind, dropout, quick=True)
    assert quickened(ours) == (14 if kind == "qwen2" else 8)
    assert quickened(peft) == 0
    (expected, wanted), (found, gradients) = learn(peft, training), learn(ours, training)
    assert torch.allclose(found, expected, atol=1e-5)
    assert gradients.keys() == wanted.keys()
    assert len(gradients) == 2 * quickened(ours)
    assert max(off(gradients[name], wanted[name]) for name in wanted) < 1e-5


@pytest.mark.parametrize("kind", ["qwen2", "gpt2"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_in_bf16_it_is_near_float32(kind: str, dropout: float) -> None:
    expected, wanted = learn(adapted(kind, dropout, quick=False))
    found, gradients = learn(adapted(kind, dropout, quick=True, bf16=True))
    assert found.dtype == torch.float32
    assert all(one.dtype == torch.float32 for one in gradients.values())
    assert 0 < off(found, expected) < 0.02
    assert max(off(gradients[name], wanted[name]) for name in wanted) < 0.06


def test_what_is_no_plain_adapter_stays_pefts() -> None:
    assert quickened(adapted("qwen2", 0.0, quick=True, adapter="dora")) == 0
    model = base("qwen2").bfloat16()
    assert quickened(lora.attach(model, AdapterSettings("lora", 4, 8, 0.0), "base")) == 0


def test_dora_learns_on_a_base_in_bf16() -> None:
    _, wanted = learn(adapted("qwen2", 0.0, quick=True, adapter="dora"))
    _, gradients = learn(adapted("qwen2", 0.0, quick=True, adapter="dora", bf16=True))
    assert max(off(gradients[name], wanted[name]) for name in wanted) < 0.06


@pytest.mark.parametrize("bf16", [True, False])
def test_an_adapter_that_is_switched_off_changes_nothing(bf16: bool) -> None:
    model = base("qwen2").eval()
    if bf16:
        multiply_in_bf16(model)
    with torch.no_grad():
        before = model(input_ids=IDS).logits
        made = adapted("qwen2", 0.0, quick=True, bf16=bf16).eval()
        assert not torch.equal(made(input_ids=IDS).logits, before)
        with made.disable_adapter():
            assert torch.equal(made(input_ids=IDS).logits, before)
        base_again = lora.detach(made)
        assert torch.equal(base_again(input_ids=IDS).logits, before)
    assert quickened(base_again) == 0


def test_exact_is_float32_with_the_rounded_base() -> None:
    rounded = base("qwen2").eval()
    for module in rounded.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data = module.weight.data.bfloat16().float()
    torch.manual_seed(1)
    plain = lora.attach(rounded, AdapterSettings("lora", 4, 8, 0.0), "base").eval()
    narrow = adapted("qwen2", 0.0, quick=True, bf16=True).eval()
    lora.restore(narrow, lora.snapshot(plain))
    with torch.no_grad(), exact():
        assert torch.allclose(narrow(input_ids=IDS).logits, plain(input_ids=IDS).logits, atol=1e-6)
