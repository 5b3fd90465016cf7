"""Put the final weights of a pretraining run into the model folder of the package.

    python -m recipe.export_model WORK/final [MODEL]

Reads `model.safetensors` (any float type) from the run, checks every name, size and value, and writes it in bf16.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from dlm_core import files

from .network import Shape, initial_weights

MODEL = Path(__file__).resolve().parent.parent / "dlm_tiny" / "model"


def export(final: Path, model: Path) -> int:
    """Write the weights and return the size of the file in bytes; ValueError if they do not fit the shape."""
    weights = load_file(final / "model.safetensors")
    expected = {name: weight.shape for name, weight in initial_weights(Shape(), 0).items()}
    if {name: weight.shape for name, weight in weights.items()} != expected:
        raise ValueError(f"{final} does not hold a model of the embedded base's shape")
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        raise ValueError(f"not finite: {', '.join(broken)}")
    target = model / "model.safetensors"
    scratch = target.with_suffix(".part")
    ordered = {name: weights[name].to(torch.bfloat16).contiguous() for name in sorted(weights)}
    save_file(ordered, scratch, metadata={"format": "pt"})
    scratch.chmod(0o644)
    files.sync(scratch)
    files.rename(scratch, target)
    return target.stat().st_size


if __name__ == "__main__":
    source = Path(sys.argv[1])
    print(f"{export(source, Path(sys.argv[2]) if len(sys.argv) > 2 else MODEL):,} bytes")
