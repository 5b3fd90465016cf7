"""The short way to the loss gives the model's own loss, and models it is wrong for do not take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name

from dlm_core.api import Message, Span, chat_row, text_row
from dlm_hf.batches import collate
from dlm_hf.imports import prepare
from dlm_hf.loss import plain_head, summed_loss
from dlm_hf.testing import make_small_base
from dlm_hf.tokens import all_examples, load_coder

prepare()

if TYPE_CHECKING:
    from dlm_hf.tokens import Example


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    base = make_small_base(tmp_path_factory.mktemp("base"))
    rows = [
        chat_row([Message.of("user", "How deep is it?"), Message.of("assistant", "Twelve fathoms.")], Span(1)),
        text_row("A gannet folds its wings and falls. " * 30, Span(2)),
    ]
    return all_examples(load_coder(base), rows, None, 400)


def model_of(kind: str) -> torch.nn.Module:
    import transformers

    sizes = {"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}
    config = {
        "llama": lambda: transformers.LlamaConfig(**sizes, **heads),
        "granite": lambda: transformers.GraniteConfig(**sizes, **heads, logits_scaling=8.0),
        "gemma2": lambda: transformers.Gemma2Config(**sizes, **heads, head_dim=8, final_logit_softcapping=0.5),
    }[kind]()
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize(("kind", "short"), [("llama", True), ("granite", False), ("gemma2", False)])
def test_the_loss_is_the_models_own(examples: list[Example], kind: str, short: bool) -> None:
    model = model_of(kind)
    is_plain = plain_head(model) is not None
    assert is_plain == short
    found = summed_loss(model, collate(examples, pad_id=0), is_plain)
    expected = torch.zeros(())
    for one in examples:  # each row alone, unpadded, all positions projected
        ids = torch.tensor([one.ids])
        learned = torch.tensor(one.learned)
        logits = model(input_ids=ids).logits[0, :-1][learned[1:]]
        expected = expected + F.cross_entropy(logits.float(), ids[0][learned], reduction="sum")
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_gradient_is_the_models_own(examples: list[Example]) -> None:
    gradients = []
    for is_plain in (True, False):
        model = model_of("llama")
        model.get_output_embeddings().weight.requires_grad_(False)
        summed_loss(model, collate(examples, pad_id=0), is_plain).backward()
        gradients.append(model.model.layers[0].self_attn.q_proj.weight.grad)
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-5 * float(gradients[0].abs().max()))
    assert float(gradients[0].abs().max()) > 0


def test_what_fills_a_batch_does_not_matter(examples: list[Example]) -> None:
    model = model_of("llama")
    losses = {summed_loss(model, collate(examples, pad_id=pad), True).item() for pad in (0, 2, 300)}
    assert max(losses) - min(losses) < 1e-3


@pytest.mark.parametrize("kind", ["llama", "granite", "gemma2"])
def test_rows_of_a_batch_have_the_logits_they_have_alone(examples: list[Example], kind: str) -> None:
    """Padding stands right of every row and rows do not see each other."""
    model = model_of(kind)
    several = [*examples, examples[0]]
    assert len({one.length for one in several}) > 1
    batch = collate(several, pad_id=0)
    with torch.no_grad():
        together = model(input_ids=batch.ids, use_cache=False).logits
        for place, one in enumerate(several):
            alone = model(input_ids=torch.tensor([one.ids]), use_cache=False).logits[0]
            assert float((together[place, : one.length] - alone).abs().max()) < 1e-5
    assert torch.equal(together[0, : several[0].length], together[-1, : several[0].length])


def test_what_stands_in_other_rows_changes_nothing(examples: list[Example]) -> None:
    model = model_of("llama")
    batch = collate(examples, pad_id=0)
    other = batch.ids.clone()
    other[1] = other[1].flip(0)
    with torch.no_grad():
        first, second = (model(input_ids=ids, use_cache=False).logits[0] for ids in (batch.ids, other))
    assert float((first - second).abs().max()) < 1e-5
