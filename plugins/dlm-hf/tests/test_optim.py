"""Every optimizer is what its name says, resumes to the same bits, and does not depend on how a step is divided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from dlm_core.api import (
    AdapterSettings,
    Batch,
    Control,
    DivergedError,
    InterruptedRunError,
    Message,
    Precision,
    Row,
    Span,
    TrainingSettings,
    TrainJob,
    chat_row,
)
from dlm_hf import loop, optim
from dlm_hf.galore import GaLore
from dlm_hf.sft import train
from dlm_hf.testing import make_job

NAMES = list(optim.OPTIMIZERS)


def rows(count: int = 4) -> list[Row]:
    made = [[Message.of("user", f"what {n}"), Message.of("assistant", f"bell {n}" + " bay" * n)] for n in range(count)]
    return [chat_row(pair, Span(n + 1)) for n, pair in enumerate(made)]


def job(base: str, place: Path, name: str = "adamw_torch", **changes: Any) -> TrainJob:
    # Rank 64 on a width of 64: matrices of 4,096 weights, which the 8-bit optimizers keep in 8 bits.
    usual = {
        "settings": TrainingSettings(128, 2, optimizer=name),
        "adapters": {"default": AdapterSettings("lora", 64, 64, 0.1, ("q_proj", "down_proj"), 5e-3)},
        "batch": Batch(1, 1),
    }
    return make_job(Path(base), rows(), place, **{**usual, **changes})


def adapter(place: Path) -> bytes:
    return (place / "out" / "default" / "adapter_model.safetensors").read_bytes()


def stop_after(steps: int) -> Control:
    asked: Iterator[bool] = iter([False] * (steps - 1) + [True] * 100)
    return Control(stop_requested=lambda: next(asked))


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_ends_in_the_same_bits_and_keeps_tensors_only(
    base_folder: str, tmp_path: Path, name: str
) -> None:
    train(job(base_folder, tmp_path / "whole", name))
    with pytest.raises(InterruptedRunError):
        train(job(base_folder, tmp_path / "cut", name, control=stop_after(3)))
    kept = [path for path in (tmp_path / "cut" / "work").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".safetensors", ".json"}
    with safe_open(next(path for path in kept if path.suffix == ".safetensors"), "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys() if key.startswith("optimizer.")}  # noqa: SIM118
    assert any(one.dtype == torch.uint8 for one in state.values()) == ("8bit" in name)
    assert any(key.endswith("qmap1") for key in state) == ("8bit" in name)
    assert any("galore_projection" in key for key in state) == name.startswith("galore")
    train(job(base_folder, tmp_path / "cut", name, resume=True))
    assert adapter(tmp_path / "cut") == adapter(tmp_path / "whole")


def test_each_optimizer_trains_another_adapter(base_folder: str, tmp_path: Path) -> None:
    made = {}
    for name in NAMES:
        train(job(base_folder, tmp_path / name, name))
        made[name] = adapter(tmp_path / name)
    assert made.pop("paged_adamw_8bit") == made["adamw_bnb_8bit"], "on a processor there is nothing to page"
    assert len(set(made.values())) == len(made) == 4


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_of_a_large_matrix(name: str) -> None:
    torch.manual_seed(0)
    one, vector = torch.nn.Parameter(torch.zeros(64, 300)), torch.nn.Parameter(torch.zeros(5000))
    optimizer = optim.make_optimizer(name, [one, vector], 1e-2)
    one.grad, vector.grad = torch.randn(64, 300), torch.randn(5000)
    optimizer.step()
    state = optim.state_tensors(optimizer)
    moment = state["0.state1" if "8bit" in name else "0.exp_avg"]
    assert moment.dtype == (torch.uint8 if "8bit" in name else torch.float32)
    assert moment.shape == ((32, 300) if name.startswith("galore") else (64, 300))
    assert state["1.state1" if "8bit" in name else "1.exp_avg"].shape == (5000,)
    rank = int(torch.linalg.matrix_rank(one.detach()))
    assert rank == 32 if name.startswith("galore") else rank > 60


def test_galore_s_update_is_adamw_s_in_the_gradient_s_own_directions() -> None:
    torch.manual_seed(1)
    gradient = torch.randn(64, 4) @ torch.randn(4, 300)  # of rank 4: nothing of it is lost at rank 32
    one = torch.nn.Parameter(torch.zeros(64, 300))
    optimizer = optim.make_optimizer("galore_adamw", [one], 1e-2)
    one.grad = gradient.clone()
    optimizer.step()
    left = torch.linalg.svd(gradient, full_matrices=False)[0][:, :4]
    expected = -1e-2 * left @ (left.T @ gradient).sign()  # Adam's first step is the sign
    torch.testing.assert_close(one.detach(), expected, rtol=1e-3, atol=1e-5)


def test_galore_waits_for_a_first_gradient() -> None:
    one = torch.nn.Parameter(torch.ones(8, 20))
    optimizer = optim.make_optimizer("galore_adamw", [one], 1e-2)
    assert isinstance(optimizer, GaLore)
    one.grad = torch.zeros(8, 20)
    optimizer.step()
    assert torch.equal(one, torch.ones(8, 20))
    assert optimizer.projectors[one].ortho_matrix is None


@pytest.mark.parametrize("name", NAMES)
def test_four_rows_once_are_one_row_four_times(base_folder: str, tmp_path: Path, name: str) -> None:
    still = {"default": AdapterSettings("lora", 64, 64, 0.0, ("q_proj", "down_proj"), 1e-3)}
    settings = TrainingSettings(128, 1, optimizer=name)
    found = []
    for batch in (Batch(4, 1), Batch(1, 4)):
        place = tmp_path / f"{batch.micro}"
        train(job(base_folder, place, name, adapters=still, batch=batch, settings=settings))
        with safe_open(place / "out/default/adapter_model.safetensors", "pt") as file:
            found.append({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    assert max(float((found[0][key] - found[1][key]).abs().max()) for key in found[0]) < 1e-6


FP16 = Precision("fp16", "none", "a test")


def test_an_overflow_in_fp16_is_a_step_that_learns_nothing(
    base_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms, scales = [], []
    real = loop._take_step

    def take_step(task: Any, step: Any, optimizer: Any, scaler: Any, rate: Any, progress: Any) -> float:
        if progress.step == 2:
            scaler._scale.fill_(1e38)  # far above what a float16 gradient can hold
        before = [one.detach().clone() for one in optimizer.param_groups[0]["params"]]
        norm = real(task, step, optimizer, scaler, rate, progress)
        after = optimizer.param_groups[0]["params"]
        norms.append((norm, all(torch.equal(*pair) for pair in zip(before, after, strict=True))))
        scales.append(scaler.get_scale())
        return norm

    monkeypatch.setattr(loop, "_take_step", take_step)
    train(job(base_folder, tmp_path, precision=FP16))
    assert [still for _, still in norms] == [False, False, True] + [True] * 5
    assert scales[2] == pytest.approx(5e37)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_is_not_finite_stops_at_its_step(
    base_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = loop._backward
    calls: list[int] = []

    def backward(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return real(*arguments) * (float("nan") if len(calls) == 3 else 1)

    monkeypatch.setattr(loop, "_backward", backward)
    for precision in (Precision("fp32", "none", ""), FP16):
        calls.clear()
        with pytest.raises(DivergedError, match=r"on the rows of line \d"):
            train(replace(job(base_folder, tmp_path / precision.dtype, name), precision=precision))
        assert not (tmp_path / precision.dtype / "out" / "default").exists()


def test_the_scale_of_fp16_is_in_the_checkpoint(base_folder: str, tmp_path: Path) -> None:
    train(job(base_folder, tmp_path / "whole", precision=FP16))
    with pytest.raises(InterruptedRunError):
        train(job(base_folder, tmp_path / "cut", precision=FP16, control=stop_after(3)))
    (state,) = (tmp_path / "cut" / "work").rglob("state.json")
    assert '"scale": 65536.0' in state.read_text()
    train(job(base_folder, tmp_path / "cut", precision=FP16, resume=True))
    assert adapter(tmp_path / "cut") == adapter(tmp_path / "whole")


def test_four_bit_weights_are_those_of_the_blocks(base_folder: str, tmp_path: Path) -> None:
    from dlm_hf.loading import load_model, release_model

    quantized = job(base_folder, tmp_path, precision=Precision("bf16", "nf4", "a test"))
    quantized = replace(quantized, adapters={"default": AdapterSettings("qlora", 8, 16, 0.0)})
    train(quantized)
    model = load_model(quantized.base, quantized.precision)
    dtypes = {name: one.dtype for name, one in model.named_parameters()}
    assert {name for name, one in dtypes.items() if one == torch.uint8} == {
        name for name in dtypes if name.endswith("_proj.weight")
    }
    usual = torch.float32 if model.device.type == "cpu" else torch.bfloat16  # on a processor only products are narrow
    assert dtypes["model.embed_tokens.weight"] == dtypes["model.norm.weight"] == usual
    assert model.get_output_embeddings().weight.dtype == usual
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        first = model(input_ids=ids, use_cache=False).logits
        model.train()
        assert torch.equal(model(input_ids=ids, use_cache=False).logits, first), "evaluation rewrites no weights"
    release_model(model)
