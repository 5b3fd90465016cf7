"""Answers, streams, scores and logits of the open model, with and without adapters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlm_core.api import (
    AdapterSettings,
    BaseMissingError,
    BaseModel,
    LocatedBase,
    Message,
    Precision,
    Row,
    RunFailedError,
    Sampling,
    Span,
    chat_row,
    text_row,
)
from dlm_hf import loading, lora
from dlm_hf.engine import HfEngine
from dlm_hf.generation import batches, choose
from dlm_hf.open_model import HfOpenModel, pieces
from dlm_hf.testing import make_small_base
from dlm_hf.tokens import examples

ENGINE = HfEngine()
FP32 = Precision("fp32", "none", "a test")
TEXTS = (
    "Who keeps the lighthouse?",
    "Hi",
    "How deep is the bay, and who counts the boats in winter when the fog rings?",
    "東京 été — “naïve” 🙂",
)
QUESTIONS = [[Message.of("user", text)] for text in TEXTS]


def locate(folder: str | Path) -> LocatedBase:
    return ENGINE.locate(BaseModel("small", str(folder)), fetch=False)


def random_adapter(base: LocatedBase, folder: Path, seed: int, **settings: Any) -> Path:
    """A trained-looking adapter: every matrix random, so that it changes the logits."""
    model = loading.load_model(base, FP32)
    torch.manual_seed(seed)
    adapted = lora.attach(model, AdapterSettings(lora_r=4, lora_alpha=8, lora_dropout=0.0, **settings), "small")
    with torch.no_grad():
        for parameter in lora.trainable(adapted).values():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    lora.save_adapter(adapted, folder)
    lora.detach(adapted)
    loading.release_model(model)
    return folder


@pytest.fixture(scope="module")
def base(base_folder: str) -> LocatedBase:
    return locate(base_folder)


@pytest.fixture(scope="module")
def adapters(base: LocatedBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    random_adapter(base, folder / "default", 1)
    random_adapter(base, folder / "a", 2, adapter="dora")
    return folder


@pytest.fixture
def model(base: LocatedBase, adapters: Path) -> Any:
    with HfOpenModel(base, adapters, FP32, "Be brief.") as opened:
        yield opened


@pytest.mark.parametrize("sampling", [Sampling(24), Sampling(24, temperature=0.9, top_p=0.8, seed=5)])
@pytest.mark.parametrize("adapter", ["default", None])
def test_an_answer_does_not_depend_on_its_batch(model: HfOpenModel, sampling: Sampling, adapter: str | None) -> None:
    together = list(model.generate(QUESTIONS, sampling, adapter))
    assert together == [next(model.generate([one], sampling, adapter)) for one in QUESTIONS]
    assert together == ["".join(model.stream(one, sampling, adapter)) for one in QUESTIONS]
    assert together == list(model.generate(QUESTIONS, sampling, adapter))
    assert any(together)


def test_greedy_answers_are_those_of_transformers(model: HfOpenModel) -> None:
    model.peft.set_adapter("default")  # type: ignore[union-attr]
    for question in QUESTIONS:
        ids = torch.tensor([model.encode(model.render(question))])
        wanted = model.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=24,
            do_sample=False,
            eos_token_id=sorted(model.coder.stop_ids),
        )
        text = model.coder.decode(wanted[0, ids.shape[1] :].tolist())
        assert next(model.generate([question], Sampling(24))) == text


def test_seeds_and_temperature_matter(model: HfOpenModel) -> None:
    first, again, other = (
        list(model.generate(QUESTIONS, Sampling(24, temperature=1.5, seed=seed))) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_top_p_leaves_out_the_tail() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    die = torch.Generator().manual_seed(0)
    seen = {choose(logits, Sampling(1, temperature=1.0, top_p=0.7), [die])[0] for _ in range(200)}
    assert seen == {0, 1}
    assert choose(logits, Sampling(1, temperature=1.0, top_p=1e-9), [die]) == [0]


def test_answers_stop_at_the_stop_token(base: LocatedBase) -> None:
    with HfOpenModel(base, None, FP32, None) as model:
        full = list(model.generate(QUESTIONS, Sampling(12), None))
        ids = model.encode(model.render(QUESTIONS[0]))
        first = int(model.logits(ids, None)[-1].argmax())
        object.__setattr__(model.coder, "stop_ids", frozenset({first}))
        stopped = list(model.generate(QUESTIONS, Sampling(12), None))
    assert full[0]
    assert stopped[0] == ""


def test_answers_end_with_the_context(tmp_path: Path) -> None:
    base = locate(make_small_base(tmp_path / "short", context=48))
    with HfOpenModel(base, None, FP32, None) as model:
        prompt = len(model.encode(model.render(QUESTIONS[0])))
        count = sum(1 for _ in model.stream(QUESTIONS[0], Sampling(1000, temperature=2.0), None))
        assert count <= 48 - prompt
        with pytest.raises(RunFailedError, match="this base reads 48"):
            list(model.generate([[Message.of("user", "long " * 60)]], Sampling(4), None))


def test_stream_never_splits_a_character(base: LocatedBase) -> None:
    with HfOpenModel(base, None, FP32, None) as model:
        text = "Größe 東京 🙂🙃 é"
        ids = model.encode(text)
        got = list(pieces(model.coder, iter(ids)))
        assert len(got) > 5
        assert "".join(got) == text
        assert not any("\ufffd" in piece for piece in got)
        broken = ids[:-3]
        assert "".join(pieces(model.coder, iter(broken))) == model.coder.decode(broken)


ROWS = [
    chat_row([Message.of("user", "Who keeps the lighthouse?"), Message.of("assistant", "Oda Vell keeps it.")], Span(1)),
    text_row("The harbour of Brenmark lies under a hill of slate. " * 80, Span(5)),
    chat_row([Message.of("user", "How deep?"), Message.of("assistant", "Twelve fathoms.")], Span(9)),
]


def plain_score(model: HfOpenModel, row: Row) -> tuple[float, int]:
    """The score by the book: all logits of one example at a time."""
    total, count = 0.0, 0
    for one in examples(model.coder, row, model.system_prompt, 512):
        logits = torch.tensor(model.logits(one.ids, None)).double().log_softmax(-1)
        for place in range(1, len(one.ids)):
            if one.learned[place]:
                total -= float(logits[place - 1, one.ids[place]])
                count += 1
    return total, count


def test_scores_are_the_loss_of_the_learned_tokens(model: HfOpenModel) -> None:
    scores = list(model.score(ROWS, None))
    for row, score in zip(ROWS, scores, strict=True):
        total, count = plain_score(model, row)
        assert score.tokens == count
        assert score.loss_sum == pytest.approx(total, rel=1e-5)
        assert next(iter(model.score([row], None))).loss_sum == pytest.approx(score.loss_sum, rel=1e-5)


def test_scores_count_what_is_measured(model: HfOpenModel) -> None:
    sizes = ENGINE.measure(model.base, ROWS, model.system_prompt, 512)
    assert [size.labelled for size in sizes] == [score.tokens for score in model.score(ROWS, None)]
    assert [size.pieces > 1 for size in sizes] == [False, True, False]


def test_each_adapter_answers_for_itself(model: HfOpenModel) -> None:
    ids = model.encode(model.render(QUESTIONS[0]))
    plain, default, other = (model.logits(ids, name) for name in (None, "default", "a"))
    assert plain.shape == (len(ids), 512)
    assert plain.dtype == np.float32
    assert not np.allclose(plain, default)
    assert not np.allclose(default, other)
    np.testing.assert_array_equal(model.logits(ids, None), plain)
    np.testing.assert_array_equal(model.logits(ids, "default"), default)
    assert [s.loss for s in model.score(ROWS, "a")] != [s.loss for s in model.score(ROWS, None)]
    with pytest.raises(RunFailedError, match="no adapter 'b'"):
        model.logits(ids, "b")


def test_the_system_prompt_is_part_of_every_question(model: HfOpenModel) -> None:
    assert "Be brief." in model.render(QUESTIONS[0])
    own = [Message.of("system", "Be long."), *QUESTIONS[0]]
    assert "Be brief." not in model.render(own)


def test_the_base_is_loaded_once_and_left_as_it_was(base: LocatedBase, adapters: Path) -> None:
    loading.forget_models()
    with HfOpenModel(base, None, FP32, None) as model:
        first, clean = model.model, model.logits([1, 5, 9], None)
    with HfOpenModel(base, adapters, FP32, None) as model:
        assert model.model is first
        np.testing.assert_array_equal(model.logits([1, 5, 9], None), clean)
        with HfOpenModel(base, None, FP32, None) as second:
            assert second.model is not first
            np.testing.assert_array_equal(second.logits([1, 5, 9], None), clean)
    with HfOpenModel(base, None, FP32, None) as model:
        np.testing.assert_array_equal(model.logits([1, 5, 9], None), clean)


def test_a_base_whose_weights_were_changed_is_not_kept(base: LocatedBase) -> None:
    model = loading.load_model(base, FP32)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    loading.release_model(model)
    again = loading.load_model(base, FP32)
    assert again is not model
    assert not torch.equal(next(again.parameters()), next(model.parameters()))


def test_missing_weights_are_an_error_and_not_random(base_folder: str, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "base"
    shutil.copytree(base_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaseMissingError, match=r"model\.norm\.weight"):
        HfOpenModel(locate(folder), None, FP32, None)


def test_code_beside_a_model_is_never_run(base_folder: str, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(base_folder, folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": auto}))
    with HfOpenModel(locate(folder), None, FP32, None) as model:
        assert type(model.model).__name__ == "LlamaForCausalLM"
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": auto, "model_type": "evil"}))
    with pytest.raises(BaseMissingError, match="no causal language model of type 'evil'"):
        HfOpenModel(locate(folder), None, FP32, None)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target_modules": r"(\w+\.?)*!"}, "target_modules is not a list"),
        ({"target_modules": ["(a+)+$"]}, "target_modules is not a list"),
        ({"auto_mapping": {"base_model_class": "X", "parent_library": "os"}}, "code to import"),
        ({"rank_pattern": {"(a+)+$": 4}}, "rank_pattern"),
        ({"peft_type": "PROMPT_TUNING"}, "no LoRA adapter"),
    ],
)
def test_a_strangers_adapter_cannot_bring_patterns_or_code(
    base: LocatedBase, adapters: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    shutil.copytree(adapters, tmp_path / "adapters")
    path = tmp_path / "adapters" / "default" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunFailedError, match=words):
        HfOpenModel(base, tmp_path / "adapters", FP32, None)


@pytest.mark.parametrize("change", ["layers.1", "missing", "shape"])
def test_an_adapter_of_another_base_is_refused(base: LocatedBase, adapters: Path, tmp_path: Path, change: str) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapters / "default", tmp_path / "default")
    values = load_file(tmp_path / "default" / "adapter_model.safetensors")
    name = next(iter(values))
    if change == "missing":
        del values[name]
    elif change == "shape":
        values[name] = torch.zeros(4, 3)
    else:
        values = {key.replace(change, "layers.7"): value for key, value in values.items()}
    save_file(values, tmp_path / "default" / "adapter_model.safetensors")
    with pytest.raises(RunFailedError, match="does not belong to this base"):
        HfOpenModel(base, tmp_path, FP32, None)
    with HfOpenModel(base, adapters, FP32, None) as model:
        assert list(model.generate(QUESTIONS[:1], Sampling(2)))


def test_pickled_adapters_are_refused(base: LocatedBase, adapters: Path, tmp_path: Path) -> None:
    shutil.copytree(adapters, tmp_path / "adapters")
    folder = tmp_path / "adapters" / "default"
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(RunFailedError, match=r"no adapter_model\.safetensors"):
        HfOpenModel(base, tmp_path / "adapters", FP32, None)
    with pytest.raises(RunFailedError, match="holds no adapter"):
        HfOpenModel(base, tmp_path, FP32, None)


def test_batches_cover_everything_once_within_limits() -> None:
    lengths = [5, 900, 3, 7, 7, 1, 400, 2]
    groups = batches(lengths, room=10, rows=3, tokens=1000)
    assert sorted(place for group in groups for place in group) == list(range(8))
    for group in groups:
        assert len(group) <= 3
        assert len(group) == 1 or len(group) * (max(lengths[place] for place in group) + 10) <= 1000


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_other_families_answer_alike_in_a_batch(tmp_path: Path, family: Any) -> None:
    base = locate(make_small_base(tmp_path, family, tied=False))
    with HfOpenModel(base, None, FP32, None) as model:
        together = list(model.generate(QUESTIONS, Sampling(16), None))
        assert together == [next(model.generate([one], Sampling(16), None)) for one in QUESTIONS]
        assert model._has_plain_head


def test_a_capped_head_is_noticed_and_scored_right(tmp_path: Path) -> None:
    """Gemma caps its logits after the projection, so the projection alone would give wrong losses."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    folder = make_small_base(tmp_path)
    config = Gemma2Config(
        vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, final_logit_softcapping=0.5, max_position_embeddings=512,
        sliding_window=16, pad_token_id=0, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    Gemma2ForCausalLM(config).save_pretrained(folder)
    with HfOpenModel(locate(folder), None, FP32, None) as model:
        assert not model._has_plain_head
        for row, score in zip(ROWS, model.score(ROWS, None), strict=True):
            assert score.loss_sum == pytest.approx(plain_score(model, row)[0], rel=1e-5)
        together = list(model.generate(QUESTIONS, Sampling(24), None))
        assert together == [next(model.generate([one], Sampling(24), None)) for one in QUESTIONS]
