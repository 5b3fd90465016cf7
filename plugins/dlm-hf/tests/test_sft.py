"""Training: what is learned, what is reported, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dlm_core.api import (
    AdapterSettings,
    Batch,
    Control,
    DivergedError,
    DoesNotFitError,
    Event,
    Message,
    Precision,
    Row,
    RunFailedError,
    Span,
    TrainingSettings,
    chat_row,
    text_row,
)
from dlm_hf.sft import train
from dlm_hf.testing import make_job, make_small_base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("base")
    return make_small_base(path)


def pairs(count: int, adapters: tuple[str, ...] = ("default",)) -> list[Row]:
    rows = [
        chat_row(
            [
                Message.of("user", f"How many boats has house {number}? " + "Say it. " * (number % 3)),
                Message.of("assistant", f"It has {number * 7 % 11} boats" + " on the shore" * (number % 4) + "."),
            ],
            Span(10 + number),
        )
        for number in range(count)
    ]
    return [replace(row, index=index, section_id="s", adapters=adapters) for index, row in enumerate(rows)]


def tensors(folder: Path) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def told(events: list[Event], kind: str) -> list[Mapping[str, Any]]:
    return [event.data for event in events if event.kind == kind]


PLAIN = AdapterSettings(lora_r=4, lora_alpha=8, lora_dropout=0.0, learning_rate=5e-3)


def test_it_learns_reports_and_saves_a_peft_folder(base: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    rows = [*pairs(6), text_row("The harbour lies under a hill of slate. " * 20, Span(40))]
    job = make_job(base, rows, tmp_path, control=Control(events.append), settings=TrainingSettings(128, 8))
    job = replace(job, adapters={"default": replace(PLAIN, learning_rate=2e-2)})
    result = train(job)
    (start,), steps, (end,) = told(events, "phase"), told(events, "step"), told(events, "phase_end")
    assert start["rows"] == 7
    assert [one["step"] for one in steps] == list(range(1, start["steps"] + 1))
    assert {"loss", "learning_rate", "grad_norm", "tokens", "seconds", "epoch", "steps"} <= steps[0].keys()
    assert result.metrics["loss"] < 0.9 * steps[0]["loss"]
    assert end["loss"] == result.metrics["loss"]
    config = json.loads((tmp_path / "out/default/adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "small"
    assert str(tmp_path) not in json.dumps(config)
    assert "q_proj" in config["target_modules"]
    assert "lm_head" not in config["target_modules"]
    assert any(float(one.abs().sum()) for name, one in tensors(tmp_path / "out/default").items() if "lora_B" in name)


def test_peft_itself_loads_what_was_saved_and_loses_as_reported(base: Path, tmp_path: Path) -> None:
    rows = pairs(8)
    job = make_job(base, rows, tmp_path, validation=tuple(pairs(3)), adapters={"default": PLAIN})
    result = train(job)
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from dlm_hf.tokens import all_examples, load_coder

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "out/default").eval()
    total = tokens = 0.0
    for one in all_examples(load_coder(base), pairs(3), None, 128):
        labels = [token if is_learned else -100 for token, is_learned in zip(one.ids, one.learned, strict=True)]
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([one.ids]), labels=torch.tensor([labels])).loss
        total, tokens = total + float(loss) * one.labelled, tokens + one.labelled
    assert total / tokens == pytest.approx(result.metrics["validation_loss"], rel=1e-4)


def test_same_seed_same_bytes_other_seed_other_bytes(base: Path, tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((1, 1, 2)):
        job = make_job(base, pairs(5), tmp_path / str(number), settings=TrainingSettings(128, 2, seed=seed))
        train(job)
        folder = tmp_path / str(number) / "out/default"
        found.append(
            ((folder / "adapter_model.safetensors").read_bytes(), (folder / "adapter_config.json").read_bytes())
        )
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


@pytest.mark.parametrize("batch", [Batch(1, 4), Batch(2, 2), Batch(3, 1), Batch(6, 1, 40), Batch(6, 1, 1)])
def test_dividing_a_step_changes_nothing(base: Path, tmp_path: Path, batch: Batch) -> None:
    whole = Batch(batch.rows, 1)
    found = []
    for name, one in (("whole", whole), ("divided", batch)):
        train(
            make_job(
                base, pairs(7), tmp_path / name, batch=one, adapters={"default": replace(PLAIN, learning_rate=1e-3)}
            )
        )
        found.append(tensors(tmp_path / name / "out/default"))
    assert found[0].keys() == found[1].keys()
    assert max(float((found[0][name] - found[1][name]).abs().max()) for name in found[0]) < 1e-6


def test_the_best_epoch_is_kept(base: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    wrong = [
        replace(row, data={"messages": (row.messages[0], Message.of("assistant", "Nobody knows that, not one."))})
        for row in pairs(4)
    ]
    job = make_job(
        base,
        pairs(4),
        tmp_path,
        validation=tuple(wrong),
        settings=TrainingSettings(128, 12, lr_scheduler="constant"),
        adapters={"default": replace(PLAIN, learning_rate=2e-2)},
        control=Control(events.append),
    )
    result = train(job)
    epochs = told(events, "eval")
    assert len(epochs) == 12
    limit = min(one["loss"] for one in epochs) * 1.1 + 0.02
    best = min((one for one in epochs if one["loss"] <= limit), key=lambda one: one["validation_loss"])
    assert best["epoch"] < 12, "the case must have an earlier best epoch to mean anything"
    assert result.metrics["epoch"] == best["epoch"]
    assert result.metrics["validation_loss"] == best["validation_loss"]


def test_adapters_are_trained_apart(base: Path, tmp_path: Path) -> None:
    first, second = pairs(4, ("first",)), [replace(row, adapters=("second",)) for row in pairs(6)[2:]]
    shared = [replace(text_row("The bay is deep and cold.", Span(1)), adapters=("first", "second"))]
    both = make_job(
        base,
        [*first, *second, *shared],
        tmp_path / "both",
        adapters={"first": PLAIN, "second": replace(PLAIN, lora_r=2)},
    )
    result = train(both)
    assert {"first/loss", "second/loss"} <= result.metrics.keys()
    train(make_job(base, [*second, *shared], tmp_path / "one", adapters={"second": replace(PLAIN, lora_r=2)}))
    name = "out/second/adapter_model.safetensors"
    assert (tmp_path / "both" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert (tmp_path / "both/out/first/adapter_config.json").is_file()


def test_an_adapter_without_rows_is_carried_over_or_refused(base: Path, tmp_path: Path) -> None:
    train(make_job(base, pairs(3, ("first",)), tmp_path / "a", adapters={"first": PLAIN}))
    job = make_job(base, pairs(3, ("second",)), tmp_path / "b", adapters={"first": PLAIN, "second": PLAIN})
    events: list[Event] = []
    with pytest.raises(RunFailedError, match="train the adapter first on"):
        train(replace(job, adapters=dict(reversed(job.adapters.items())), control=Control(events.append)))
    assert not events  # found before the one that has rows is trained
    train(replace(job, start=tmp_path / "a/out"))
    name = "out/first/adapter_model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_training_continues_from_the_adapter_before(base: Path, tmp_path: Path) -> None:
    first = train(make_job(base, pairs(6), tmp_path / "a", settings=TrainingSettings(128, 6)))
    events: list[Event] = []
    again = make_job(base, pairs(6), tmp_path / "b", start=tmp_path / "a/out", control=Control(events.append))
    train(again)
    assert told(events, "eval")[0]["loss"] < 1.2 * first.metrics["loss"]
    other = {"default": AdapterSettings(lora_r=8, lora_alpha=8)}
    with pytest.raises(RunFailedError, match="r was 4, is 8"):
        train(replace(again, adapters=other))


def test_dora_trains(base: Path, tmp_path: Path) -> None:
    train(make_job(base, pairs(3), tmp_path, adapters={"default": replace(PLAIN, adapter="dora")}))
    assert any("magnitude" in name for name in tensors(tmp_path / "out/default"))


def test_named_target_modules_are_honoured(base: Path, tmp_path: Path) -> None:
    train(make_job(base, pairs(3), tmp_path / "a", adapters={"default": replace(PLAIN, target_modules=("v_proj",))}))
    assert all("v_proj" in name for name in tensors(tmp_path / "a/out/default"))
    two = {"good": PLAIN, "wrong": replace(PLAIN, target_modules=("v_proj", "w_proj"))}
    with pytest.raises(RunFailedError, match="w_proj") as caught:
        train(make_job(base, pairs(3, tuple(two)), tmp_path / "b", adapters=two))
    assert "down_proj" in (caught.value.hint or "")
    assert not list((tmp_path / "b/out").glob("*"))


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_other_families_train(tmp_path: Path, family: Any) -> None:
    base = make_small_base(tmp_path / "base", family, tied=False)
    result = train(make_job(base, pairs(4), tmp_path, precision=Precision("bf16", "none", "a test")))
    assert math.isfinite(result.metrics["loss"])


def test_a_tokenizer_with_more_ids_than_embeddings_trains(tmp_path: Path) -> None:
    from dlm_hf.testing import make_small_tokenizer

    base = make_small_base(tmp_path / "base", vocabulary=300)
    make_small_tokenizer(base, 400)
    result = train(make_job(base, pairs(4), tmp_path))
    assert math.isfinite(result.metrics["loss"])


def test_a_loss_that_is_not_a_number_names_the_lines_and_leaves_nothing(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    base = make_small_base(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], float("inf"))
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DivergedError, match="NaN or infinite on the rows of lines 10, 11"):
        train(make_job(base, pairs(2), tmp_path))
    assert not (tmp_path / "out/default").exists()
    assert not list((tmp_path / "work").glob("*"))


def test_memory_fails_on_the_longest_batch_before_any_step(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlm_hf import loss

    real, seen = loss.summed_loss, []

    def limited(model: Any, batch: Any, plain_head: bool) -> Any:
        seen.append(batch.ids.numel())
        if batch.ids.numel() > 100:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return real(model, batch, plain_head)

    monkeypatch.setattr(loss, "summed_loss", limited)
    events: list[Event] = []
    rows = [*pairs(9), text_row("The bay is deep and cold. " * 20, Span(1))]
    job = make_job(base, rows, tmp_path, batch=Batch(1, 1), control=Control(events.append))
    with pytest.raises(DoesNotFitError) as caught:
        train(job)
    assert len(seen) == 1
    assert not told(events, "step")
    assert "micro_batch_size" in (caught.value.hint or "")


def test_the_rehearsal_leaves_no_trace(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlm_hf import loop

    passes = []
    for place, above in (("a", 0.0), ("b", float("inf"))):
        monkeypatch.setattr(loop, "_REHEARSE_ABOVE", above)
        backward = loop._backward
        monkeypatch.setattr(loop, "_backward", lambda *args, one=backward: passes.append(1) or one(*args))
        train(make_job(base, pairs(7), tmp_path / place))
        monkeypatch.setattr(loop, "_backward", backward)
        passes.append(0)
    assert passes == [1] * 9 + [0] + [1] * 8 + [0]
    name = "out/default/adapter_model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": TrainingSettings(128, 2, optimizer="sgd")}, "no optimizer sgd"),
        ({"precision": Precision("bf16", "nf4", "asked")}, "lora cannot be trained on a base in nf4"),
        ({"adapters": {"default": AdapterSettings(adapter="qlora")}}, "qlora cannot be trained on a base in fp32"),
        ({"rows": (Row("preference", {}, Span(4)),)}, "line 4: rows of kind preference"),
    ],
)
def test_what_is_not_available_is_refused(base: Path, tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RunFailedError, match=words):
        train(replace(make_job(base, pairs(3), tmp_path), **changes))


def test_training_opens_no_socket_and_imports_no_trainer_library(base: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import socket, sys; from pathlib import Path\n"
        "def refuse(*args, **more): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from dlm_core.api import *; from dlm_hf.sft import train; from dlm_hf.testing import make_job\n"
        "row = chat_row([Message.of('user', 'a'), Message.of('assistant', 'b')], Span(1))\n"
        f"train(make_job(Path({str(base)!r}), [row], Path({str(tmp_path)!r})))\n"
        "loaded = {name for name, module in sys.modules.items() if module is not None}\n"
        "unwanted = {'trl', 'datasets', 'bitsandbytes', 'scipy', 'transformers.trainer'}\n"
        "assert not loaded & unwanted, loaded & unwanted\n"
    )
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True)


def test_the_gradient_norm_is_told_as_it_was_before_clipping(base: Path, tmp_path: Path) -> None:
    from dlm_hf import optim

    events: list[Event] = []
    train(make_job(base, pairs(6), tmp_path, adapters={"default": PLAIN}, control=Control(events.append)))
    assert max(one["grad_norm"] for one in told(events, "step")) > optim.CLIP_NORM
