"""The benchmark that only a GPU can run for real does run, and says so where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu_speed.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=300)


def test_the_gpu_benchmark_measures_our_loop() -> None:
    done = run("--device", "cpu", "--shape", "mini", "--length", "32", "--rows", "8", "--only", "ours", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["speed"] > 0
    assert found["tflops"] < found["peak_tflops"]
    assert found["loss"] == pytest.approx(6.24, abs=0.1)  # ln 512: random rows, random weights


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run()
    assert done.returncode == 1
    assert "needs a GPU" in done.stderr
    assert "Traceback" not in done.stderr
