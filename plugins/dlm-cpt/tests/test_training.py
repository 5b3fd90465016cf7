"""The phase by itself: the same bits after an interruption, steps divided as you like, rows that stop learning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dlm_core.api import (
    AdapterSettings,
    Batch,
    Control,
    DivergedError,
    Event,
    InterruptedRunError,
    Row,
    RunFailedError,
    Span,
    TrainingSettings,
    TrainJob,
    text_row,
)
from dlm_cpt.phase import train
from dlm_hf import sft
from dlm_hf.testing import make_job

PLAIN = AdapterSettings(lora_r=4, lora_alpha=8, lora_dropout=0.0, learning_rate=1e-3)
WARMING: Mapping[str, Any] = {"training": {"cpt": {"schedule": "dapt", "embed_warmup_steps": 3}}}
ROWS = "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"


def rows(*adapters: str) -> tuple[Row, ...]:
    texts = (
        "The harbour lies under slate. " * 3,
        "Fog rings its bells.",
        "Forty-one boats.",
        "Who keeps it? Oda Vell.",
    )
    made = (text_row(text, Span(number + 3)) for number, text in enumerate(texts))
    return tuple(replace(row, adapters=adapters or ("default",), index=at) for at, row in enumerate(made))


def job(base: Path, place: Path, **changes: Any) -> TrainJob:
    usual: dict[str, Any] = {
        "phase": "cpt",
        "adapters": {"default": PLAIN},
        "config": WARMING,
        "settings": TrainingSettings(sequence_len=128, num_epochs=2, lr_floor=0.1),
    }
    learned = changes.pop("rows", rows())
    return make_job(base, learned, place, **{**usual, **changes})


def tensors(place: Path, name: str = "default") -> dict[str, torch.Tensor]:
    return load_file(place / "out" / name / "adapter_model.safetensors")


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("share", ["base", "untied"])
def test_four_of_one_are_one_of_four(request: pytest.FixtureRequest, tmp_path: Path, share: str, kind: Any) -> None:
    found = []
    for batch in (Batch(4, 1), Batch(1, 4)):
        place = tmp_path / str(batch.micro)
        adapters = {"default": replace(PLAIN, adapter=kind, learning_rate=3e-4)}
        train(job(request.getfixturevalue(share), place, batch=batch, adapters=adapters))
        found.append(tensors(place))
    assert ROWS in found[0]
    assert max(float((found[0][name] - found[1][name]).abs().max()) for name in found[0]) < 1e-6


@pytest.mark.parametrize("step", [1, 3, 6])
def test_resuming_gives_the_same_bits_while_rows_learn_and_after(base: Path, tmp_path: Path, step: int) -> None:
    dropping = {"default": replace(PLAIN, lora_dropout=0.2)}
    one = {"batch": Batch(1, 1), "adapters": dropping, "validation": rows()[:1]}
    train(job(base, tmp_path / "whole", **one))
    asked = iter(range(100))
    stopping = job(base, tmp_path / "parts", **one, control=Control(stop_requested=lambda: next(asked) >= step - 1))
    with pytest.raises(InterruptedRunError, match=f"after step {step} of 8"):
        train(stopping)
    torch.manual_seed(12345)
    train(job(base, tmp_path / "parts", **one, resume=True))
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        whole, parts = (tmp_path / part / "out/default" / name for part in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


def test_rows_stop_learning_after_their_steps(base: Path, tmp_path: Path) -> None:
    """With a constant rate, a run ended after N steps has the rows of a whole one, and other matrices."""
    steady = TrainingSettings(sequence_len=128, num_epochs=2, lr_scheduler="constant", warmup_ratio=0.0)
    found = {}
    for name, settings in (("short", replace(steady, max_steps=3)), ("whole", steady)):
        train(job(base, tmp_path / name, batch=Batch(1, 1), settings=settings))
        found[name] = tensors(tmp_path / name)
    same = {name for name in found["short"] if torch.equal(found["short"][name], found["whole"][name])}
    assert same == {ROWS}


def test_only_rows_of_the_proses_tokens_are_kept_and_they_changed(base: Path, tmp_path: Path) -> None:
    from dlm_hf.tokens import all_examples, load_coder

    train(job(base, tmp_path))
    config = json.loads((tmp_path / "out/default/adapter_config.json").read_text(encoding="utf-8"))
    used = {one for example in all_examples(load_coder(base), rows(), None, 128) for one in example.ids}
    assert config["trainable_token_indices"] == sorted(used)
    before = load_file(base / "model.safetensors")["model.embed_tokens.weight"][sorted(used)]
    change = (tensors(tmp_path)[ROWS] - before).abs()
    assert float(change.amax(1).min()) > 0
    assert float(change.max()) <= 3 * 0.1 * 1e-3 * 1.01, "three of Adam's steps at a tenth of the rate"


def test_the_loss_of_training_is_that_of_the_engine(untied: Path, base: Path, tmp_path: Path) -> None:
    """What trains through hooks is what PEFT reads from the file, tied or not."""
    from dlm_hf.open_model import HfOpenModel

    for name, folder in (("tied", base), ("untied", untied)):
        asked = job(
            folder, tmp_path / name, validation=rows(), adapters={"default": replace(PLAIN, learning_rate=2e-2)}
        )
        metrics = train(asked).metrics
        with HfOpenModel(asked.base, asked.out, asked.precision, None) as model:
            scores, alone = list(model.score(rows())), list(model.score(rows(), None))
        loss = sum(one.loss_sum for one in scores) / sum(one.tokens for one in scores)
        assert loss == pytest.approx(metrics["validation_loss"], rel=1e-6)
        assert loss < sum(one.loss_sum for one in alone) / sum(one.tokens for one in alone) - 0.05


def test_the_next_phase_keeps_the_rows_as_they_are(base: Path, tmp_path: Path) -> None:
    first = job(base, tmp_path / "cpt")
    train(first)
    sft.train(replace(first, phase="sft", start=first.out, out=tmp_path / "sft/out", work=tmp_path / "sft/work"))
    before, after = tensors(tmp_path / "cpt"), tensors(tmp_path / "sft")
    torch.testing.assert_close(before[ROWS], after[ROWS], rtol=0, atol=1e-7)
    assert any(not torch.equal(before[name], after[name]) for name in before if name != ROWS)


def test_learning_goes_on_from_an_adapter_with_other_rows(base: Path, tmp_path: Path) -> None:
    first = job(base, tmp_path / "first")
    train(replace(first, rows=rows()[:1]))
    train(job(base, tmp_path / "second", start=first.out))
    known, every = (
        json.loads((tmp_path / name / "out/default/adapter_config.json").read_text())["trainable_token_indices"]
        for name in ("first", "second")
    )
    assert set(known) < set(every)
    assert len(tensors(tmp_path / "second")[ROWS]) == len(every)


def test_an_adapter_without_prose_begins_in_a_later_phase(base: Path, tmp_path: Path) -> None:
    two = {"one": PLAIN, "two": PLAIN}
    train(job(base, tmp_path, rows=rows("one"), adapters=two))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one"]
    with pytest.raises(RunFailedError, match="no prose"):
        train(job(base, tmp_path / "none", rows=(), adapters=two))


def test_nan_stops_at_its_step_and_leaves_nothing(base: Path, tmp_path: Path) -> None:
    wild = {"default": replace(PLAIN, learning_rate=1e38)}
    with pytest.raises(DivergedError, match="rows of lines"):
        train(job(base, tmp_path, adapters=wild, settings=TrainingSettings(sequence_len=128, num_epochs=8)))
    assert not list((tmp_path / "out").glob("*"))


def test_the_base_is_as_it_was(base: Path, tmp_path: Path) -> None:
    from dlm_hf import loading

    asked = job(base, tmp_path)
    loading.forget_models()
    train(asked)
    model = loading.load_model(asked.base, asked.precision)
    stored = load_file(base / "model.safetensors")
    assert all(torch.equal(stored[name], value) for name, value in model.state_dict().items() if name in stored)
    assert not model.get_input_embeddings()._forward_hooks
    assert {name for name, _ in model.named_parameters()} <= set(stored)
    loading.release_model(model)


def test_the_schedule_ends_at_the_floor(base: Path, tmp_path: Path) -> None:
    rates = {}
    for floor in (0.0, 0.1):
        events: list[Event] = []
        settings = TrainingSettings(sequence_len=128, num_epochs=5, warmup_ratio=0.4, lr_floor=floor)
        made = job(base, tmp_path / str(floor), batch=Batch(1, 1), settings=settings, control=Control(events.append))
        train(made)
        rates[floor] = [event.data["learning_rate"] / 1e-3 for event in events if event.kind == "step"]
    assert rates[0.0][:9] == rates[0.1][:9], "the warm-up is the same"
    assert rates[0.0][-1] < 0.03
    assert 0.1 < rates[0.1][-1] < 0.13
    assert max(rates[0.1]) == pytest.approx(1.0)
