"""What this machine is taken for, and how much memory a plan reckons with."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from dlm_core.api import AdapterSettings, BaseShape, Precision
from dlm_core.planning import hardware
from dlm_core.planning.hardware import read_hardware
from dlm_core.planning.memory import linear_parameters, memory_parts, weight_bytes

GPUS = """0, GPU-aa11, NVIDIA H200, 143771, 143000, 9.0
1, GPU-bb22, NVIDIA T4, 15360, 15000, 7.5
2, GPU-bc33, NVIDIA L4, 23034, 22000, 8.9
"""


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with three GPUs; what `nvidia-smi` prints is in the file."""
    (tmp_path / "rows").write_text(GPUS)
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat {tmp_path / 'rows'}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(hardware, "version", lambda name: "2.13.0")
    return tmp_path / "rows"


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    ("visible", "name", "devices"),
    [
        (None, "NVIDIA H200", 3),
        ("1", "NVIDIA T4", 1),
        ("2,0", "NVIDIA L4", 2),
        ("1,-1,0", "NVIDIA T4", 1),
        ("0,7,1", "NVIDIA H200", 1),
        ("2,2", "NVIDIA L4", 1),
        ("GPU-bb22", "NVIDIA T4", 1),
        ("GPU-bc", "NVIDIA L4", 1),
        ("MIG-1234", "NVIDIA H200", 1),
    ],
)
def test_the_visible_gpus_count(monkeypatch: pytest.MonkeyPatch, visible: str | None, name: str, devices: int) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = read_hardware()
    assert (found.backend, found.name, found.devices) == ("cuda", name, devices)
    memory, bf16 = {"NVIDIA H200": (143771, True), "NVIDIA T4": (15360, False), "NVIDIA L4": (23034, True)}[name]
    assert (found.memory, found.bf16) == (memory << 20, bf16)


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize("visible", ["", "-1", "-1,0", "7", "none", "GPU-", "GPU-b"])
def test_hidden_gpus_are_no_gpus(monkeypatch: pytest.MonkeyPatch, visible: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert read_hardware().backend in ("cpu", "mps")


@pytest.mark.usefixtures("gpus")
def test_a_torch_without_cuda_trains_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, has_cuda in (("2.13.0+cpu", False), ("2.13.0+cu130", True), ("2.13.0", True)):
        monkeypatch.setattr(hardware, "version", lambda name, found=found: found)
        assert (read_hardware().backend == "cuda") == has_cuda

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(hardware, "version", missing)
    assert read_hardware().backend == "cuda"


def test_a_gpu_without_memory_of_its_own(gpus: Path) -> None:
    gpus.write_text("0, GPU-aa11, NVIDIA GB10, [N/A], [N/A], 12.1\n")
    found = read_hardware()
    assert (found.backend, found.name, found.bf16) == ("cuda", "NVIDIA GB10", True)
    assert found.memory >= found.free_memory > 1 << 20


@pytest.mark.parametrize("output", ["", "No devices were found\n", "garbage, without, numbers\n"])
def test_a_driver_without_gpus(gpus: Path, output: str) -> None:
    gpus.write_text(output)
    assert read_hardware().backend in ("cpu", "mps")


SHAPE = BaseShape("llama", 135_000_000, 30, 576, 1536, 49152, 8192, 9, 3, 2)


def logits(shape: BaseShape, tokens: int, labelled: int) -> int:
    precision = Precision("bf16", "none", "")
    return memory_parts(shape, {"default": AdapterSettings()}, precision, tokens, labelled, backend="cpu")["logits"]


def test_on_a_processor_bf16_is_that_of_linear_layers() -> None:
    head = SHAPE.vocabulary * SHAPE.hidden
    untied = replace(SHAPE, parameters=SHAPE.parameters + head)
    precision = Precision("bf16", "none", "")
    linear = linear_parameters(SHAPE)
    for shape in (SHAPE, untied):
        assert weight_bytes(shape, precision, "cuda") == 2 * shape.parameters
        rest = SHAPE.parameters - linear  # in four bytes; the head is in two, beside a weight that it shares or not
        assert weight_bytes(shape, precision, "cpu") == 2 * linear + 4 * rest + 2 * head


def test_logits_are_held_a_few_rows_at_a_time() -> None:
    row = 49152 * 4 * 3
    assert logits(SHAPE, 2048, 100) == 100 * row
    assert logits(SHAPE, 2048, 2000) == logits(SHAPE, 16384, 9000) == 256 * row
    assert logits(replace(SHAPE, plain_head=False), 2048, 100) == 2048 * row
