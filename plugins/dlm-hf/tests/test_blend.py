"""Several adapters at once: each prompt of a batch has its own weighted sum of them, exactly, whatever their kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from dlm_core.api import BaseModel, Blend, LocatedBase, Message, Precision, RunFailedError, Sampling, Span, chat_row
from dlm_hf import loading
from dlm_hf.engine import HfEngine
from dlm_hf.open_model import HfOpenModel
from dlm_hf.testing import make_small_base

FP32 = Precision("fp32", "none", "a test")
LINEAR = ["q_proj", "v_proj", "up_proj", "down_proj"]
IDS = [5, 90, 6, 17, 5, 33, 250, 7, 41]
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {"r": 8, "use_rslora": True}),
    "targets": ({"target_modules": ["q_proj"]}, {"target_modules": ["v_proj", "q_proj"]}),
    "dora": ({"use_dora": True}, {"use_dora": True, "r": 2}),
    "dora and lora": ({"use_dora": True}, {}),
    "an embedding": ({"target_modules": [*LINEAR, "embed_tokens"]}, {}),
    "token rows": ({"trainable_token_indices": [5, 7, 250]}, {"trainable_token_indices": [7, 9]}),
}


@pytest.fixture(scope="module", params=["untied", "tied"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocatedBase:
    folder = make_small_base(tmp_path_factory.mktemp("blend") / "base", tied=request.param == "tied", layers=1)
    return HfEngine().locate(BaseModel("small", str(folder)), fetch=False)


def adapters(base: LocatedBase, place: Path, kind: str) -> Path:
    """Two adapters whose matrices are all random."""
    for seed, (name, options) in enumerate(zip(("one", "two"), KINDS[kind], strict=True)):
        torch.manual_seed(seed)
        settings = {"r": 4, "lora_alpha": 8, "target_modules": LINEAR, "task_type": "CAUSAL_LM", **options}
        adapted = peft.get_peft_model(loading._read(base, FP32), peft.LoraConfig(**settings))
        with torch.no_grad():
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.05)
        adapted.save_pretrained(place / name, save_embedding_layers=False)
    return place


def summed(base: LocatedBase, place: Path, weights: dict[str, float]) -> Any:
    """A plain model whose weights are the base's with the weighted changes that PEFT's own merging makes."""
    model = loading._read(base, FP32)
    plain = {name: value.clone() for name, value in model.state_dict().items()}
    total = {name: value.double() for name, value in plain.items()}
    for name, weight in weights.items():
        other = peft.PeftModel.from_pretrained(loading._read(base, FP32), str(place / name)).merge_and_unload()
        for key, value in other.state_dict().items():
            total[key] += weight * (value.double() - plain[key].double())
    model.load_state_dict({name: value.float() for name, value in total.items()})
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_blend_is_the_model_with_the_weighted_changes(base: LocatedBase, tmp_path: Path, kind: str) -> None:
    if kind == "an embedding" and loading._read(base, FP32).config.tie_word_embeddings:
        pytest.skip("merged into tied weights, what was learned for the embeddings changes the head too")
    place = adapters(base, tmp_path, kind)
    with HfOpenModel(base, place, FP32, None) as opened:
        alone = torch.from_numpy(opened.logits(IDS, "one"))
        for weights in ({"one": 0.7, "two": 0.3}, {"one": 0.2, "two": 0.8}, {"one": 1.0, "two": 0.0}):
            with torch.no_grad():
                wanted = summed(base, place, weights)(input_ids=torch.tensor([IDS])).logits[0]
            found = torch.from_numpy(opened.logits(IDS, Blend((weights,))))
            torch.testing.assert_close(found, wanted, rtol=0, atol=3e-5)
            assert torch.allclose(found, alone, atol=1e-4) == (weights["two"] == 0)
        torch.testing.assert_close(torch.from_numpy(opened.logits(IDS, "one")), alone, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["plain", "dora and lora", "token rows"])
def test_prompts_of_one_batch_keep_their_own_weights(base: LocatedBase, tmp_path: Path, kind: str) -> None:
    place = adapters(base, tmp_path, kind)
    texts = ("Who keeps the lighthouse?", "How deep is the bay, and who sounded it?", "What is a gannet?", "Fog?")
    weights = ({"one": 1.0, "two": 0.0}, {"one": 0.1, "two": 0.9}, {"two": 1.0}, {"one": 0.5, "two": 0.5})
    prompts = [(Message.of("user", text),) for text in texts]
    rows = [chat_row((*prompt, Message.of("assistant", "Oda Vell.")), Span(1)) for prompt in prompts]
    sampling = Sampling(max_tokens=6)
    with HfOpenModel(base, place, FP32, None) as opened:
        together = list(opened.generate(prompts, sampling, Blend(weights)))
        scores = [score.loss for score in opened.score(rows, Blend(weights))]
        for number, one in enumerate(weights):
            assert [*opened.generate([prompts[number]], sampling, Blend((one,)))] == [together[number]]
            assert "".join(opened.stream(prompts[number], sampling, Blend((one,)))) == together[number]
            (alone,) = opened.score([rows[number]], Blend((one,)))
            assert alone.loss == pytest.approx(scores[number], abs=1e-5)
        (first,) = opened.score([rows[0]], "one")
        assert first.loss == pytest.approx(scores[0], abs=1e-5)
        assert len({round(score, 4) for score in scores}) == 4


def test_what_cannot_be_blended_is_refused(base: LocatedBase, tmp_path: Path) -> None:
    place = adapters(base, tmp_path, "plain")
    with (
        HfOpenModel(base, place, FP32, None) as opened,
        pytest.raises(RunFailedError, match="no adapter 'three' here"),
    ):
        opened.logits(IDS, Blend(({"one": 1.0, "three": 1.0},)))


def test_features_do_not_depend_on_the_texts_beside(base: LocatedBase, tmp_path: Path) -> None:
    texts = ["Who keeps the lighthouse?", "", "How deep is the bay?"]
    place = adapters(base, tmp_path, "an embedding")
    with HfOpenModel(base, place, FP32, None) as opened:
        together = torch.from_numpy(opened.features(texts))
        table = loading._read(base, FP32).get_input_embeddings().weight
        for number, text in enumerate(texts):
            assert torch.equal(torch.from_numpy(opened.features([text]))[0], together[number])
            if text:
                wanted = table[opened.encode(text)].double().mean(0).float()
                torch.testing.assert_close(together[number], wanted, rtol=0, atol=1e-7)
    assert not together[1].any()
