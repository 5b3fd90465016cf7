"""A base in bf16 on a processor: what is rounded, what is not, and how near its losses and gradients stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name

from dlm_core.api import Precision
from dlm_hf.imports import prepare
from dlm_hf.testing import make_job, make_small_base

prepare()

from dlm_hf.cpu_linear import (  # noqa: E402 - what imports transformers comes after `prepare`
    Bf16Conv1D,
    Bf16Linear,
    FrozenProduct,
    WideHead,
    exact,
    is_mixed,
    multiply_in_bf16,
    narrowed,
)
from dlm_hf.head_loss import HeadLoss, narrow_weight  # noqa: E402

BF16 = Precision("bf16", "none", "a test")


def llama(tied: bool = True) -> Any:
    import transformers

    torch.manual_seed(0)
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}
    config = transformers.LlamaConfig(**sizes, **heads, tie_word_embeddings=tied)
    return transformers.LlamaForCausalLM(config).eval().requires_grad_(False)


@pytest.mark.parametrize(("tied", "head"), [(True, WideHead), (False, Bf16Linear)])
def test_linear_layers_are_narrow_and_nothing_else(tied: bool, head: type) -> None:
    model = llama(tied)
    before = {name: one.clone() for name, one in model.named_parameters()}
    assert multiply_in_bf16(model)
    assert is_mixed(model)
    assert type(model.get_output_embeddings()) is head
    narrow = {name for name, one in model.named_parameters() if one.dtype == torch.bfloat16}
    assert narrow == {name for name in before if "_proj" in name or (name == "lm_head.weight" and not tied)}
    for name, one in model.named_parameters():
        assert torch.equal(one, before[name].to(one.dtype)), "embeddings and norms are not rounded"
    states = model.model(input_ids=torch.tensor([[3, 4, 5]])).last_hidden_state
    assert states.dtype == torch.float32


def test_a_base_is_loaded_so_for_training_and_answers(base_folder: str, tmp_path: Path) -> None:
    from dlm_hf.loading import autocast, load_model, release_model

    base = make_job(Path(base_folder), [], tmp_path).base
    model, ids = load_model(base, BF16), torch.tensor([[5, 6, 7, 8]])
    whole = load_model(base, Precision("fp32", "none", "a test"))
    assert is_mixed(model)
    assert not is_mixed(whole)
    assert not autocast(model, "bf16")._enabled
    with torch.no_grad():
        found, expected = model(input_ids=ids).logits, whole(input_ids=ids).logits
    assert not torch.equal(found, expected)
    assert float((found - expected).norm() / expected.norm()) < 0.02
    release_model(model)
    release_model(whole)


def test_a_base_stored_in_bf16_loses_nothing(tmp_path: Path) -> None:
    from dlm_hf.loading import load_model

    base = make_job(make_small_base(tmp_path / "base", dtype="bf16"), [], tmp_path).base
    model, ids = load_model(base, BF16), torch.tensor([[5, 6, 7, 8]])
    whole = load_model(base, Precision("fp32", "none", "a test"))
    with torch.no_grad(), exact():
        assert torch.equal(model(input_ids=ids).logits, whole(input_ids=ids).logits)


@pytest.mark.parametrize("rows", [1, 3, 8, 63, 64, 65, 200])
def test_products_are_those_of_rounded_numbers(rows: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(rows, 48, requires_grad=True)
    weight = torch.randn(40, 48).bfloat16()
    filled = narrowed(x.detach())
    assert len(filled) >= rows
    assert torch.equal(filled[:rows], x.detach().bfloat16())
    assert not filled[rows:].any()
    out = FrozenProduct.apply(x, weight)
    expected = x.detach().bfloat16().double() @ weight.double().T
    assert torch.allclose(out.double(), expected, rtol=2**-8, atol=1e-5)
    grad = torch.randn(rows, 40)
    out.backward(grad)
    assert x.grad is not None
    assert torch.allclose(x.grad.double(), grad.bfloat16().double() @ weight.double(), rtol=2**-8, atol=1e-4)


def test_rows_do_not_depend_on_those_beside_them() -> None:
    torch.manual_seed(0)
    model = llama()
    multiply_in_bf16(model)
    ids = torch.randint(0, 300, (4, 21))
    with torch.no_grad():
        together = model(input_ids=ids).logits
        alone = torch.cat([model(input_ids=one[None]).logits for one in ids])
    assert torch.allclose(together, alone, atol=2e-2)


def test_transposed_layers_with_a_bias() -> None:
    import transformers

    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4)
    model = transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)
    ids = torch.tensor([[3, 4, 5, 6]])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        assert multiply_in_bf16(model)
        found = model(input_ids=ids).logits
    assert any(type(module) is Bf16Conv1D for module in model.modules())
    assert float((found - expected).norm() / expected.norm()) < 0.02


def test_a_model_of_stacked_experts_is_left_to_bf16_throughout() -> None:
    import transformers

    torch.manual_seed(0)
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = transformers.MixtralConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, num_local_experts=4)
    model = transformers.MixtralForCausalLM(config)
    assert not multiply_in_bf16(model)
    assert not is_mixed(model)


def test_exact_products_are_float32_of_the_same_weights() -> None:
    torch.manual_seed(0)
    layer = Bf16Linear(16, 8)
    layer.weight.data = layer.weight.data.bfloat16()
    x = torch.randn(5, 16)
    with exact():
        assert torch.equal(layer(x), F.linear(x, layer.weight.float(), layer.bias))
    assert not torch.equal(layer(x), F.linear(x, layer.weight.float(), layer.bias))


def test_new_embeddings_are_narrowed_too() -> None:
    from dlm_hf.embeddings import fit_embeddings

    for tied in (True, False):
        model = llama(tied)
        multiply_in_bf16(model)
        assert fit_embeddings(model, 320)
        head = model.get_output_embeddings()
        assert narrow_weight(head) is not None
        with torch.no_grad():
            assert model(input_ids=torch.tensor([[310, 4]])).logits.shape == (1, 2, 320)
            mean = model.get_input_embeddings().weight[:300].mean(0)
        assert torch.allclose(model.get_input_embeddings().weight[310], mean, atol=1e-6)


def test_the_narrow_head_follows_its_weight() -> None:
    head = WideHead(8, 4, bias=False).requires_grad_(False)
    first = narrow_weight(head)
    assert first is not None
    assert narrow_weight(head) is first
    head.weight.mul_(2)
    assert torch.equal(narrow_weight(head), 2 * first)


@pytest.mark.parametrize("count", [1, 40, 300])
def test_the_loss_of_a_narrow_head(count: int) -> None:
    torch.manual_seed(0)
    states = torch.randn(count, 32, requires_grad=True)
    weight, bias = torch.randn(500, 32).bfloat16(), torch.randn(500)
    targets = torch.randint(0, 500, (count,))
    loss = HeadLoss.apply(states, weight, bias, targets, 256)
    (3 * loss).backward()
    found, states.grad = states.grad, None
    logits = F.linear(states.double(), weight.double(), bias.double())
    expected = F.cross_entropy(logits, targets, reduction="sum")
    (3 * expected).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=5e-3)
    assert found is not None
    assert states.grad is not None
    assert float((found - states.grad).norm() / states.grad.norm()) < 0.02
    with torch.no_grad():
        assert HeadLoss.apply(states, weight, bias, targets, 256) == loss.detach()


def test_a_head_with_hooks_or_that_learns_takes_the_usual_way() -> None:
    head = WideHead(8, 4, bias=False)
    assert narrow_weight(head) is None
    head.requires_grad_(False)
    assert narrow_weight(head) is not None
    head.register_forward_hook(lambda *_: None)
    assert narrow_weight(head) is None
    assert narrow_weight(torch.nn.Linear(8, 4).requires_grad_(False)) is None
