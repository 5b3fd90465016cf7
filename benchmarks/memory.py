"""Forecast memory of training beside the most that it held, over shapes, adapters, optimizers and precisions.

    python benchmarks/memory.py [--json]

Each case is a process of its own: a random base of the shape is written, a few steps are trained on rows of equal
length, and the process's peak is read from the system.  The forecast is what `dlm plan` adds up.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

#: What is promised of a forecast.
WITHIN = 0.25


@dataclass(frozen=True)
class Case:
    """`shape` is hidden size, intermediate size, layers, vocabulary; `stored` the dtype of the base's files."""

    shape: tuple[int, int, int, int]
    length: int
    micro: int
    adapter: Literal["lora", "qlora", "dora"] = "lora"
    rank: int = 8
    optimizer: str = "adamw_torch"
    dtype: Literal["fp32", "bf16"] = "fp32"
    stored: Literal["fp32", "bf16"] = "bf16"
    dropout: float = 0.05


TINY, SMALL, MEDIUM, LARGE = (
    (256, 704, 6, 2048),
    (576, 1536, 6, 16384),
    (1024, 2816, 6, 32000),
    (1536, 4096, 6, 32000),
)
CASES = (
    Case(TINY, 128, 4),
    Case(TINY, 512, 8),
    Case(TINY, 128, 4, "qlora"),
    Case(TINY, 256, 4, rank=64, optimizer="adamw_bnb_8bit"),
    Case(SMALL, 128, 1),
    Case(SMALL, 512, 4),
    Case(SMALL, 512, 4, dropout=0.0),
    Case(SMALL, 512, 4, "dora"),
    Case(SMALL, 512, 4, dtype="bf16"),
    Case(SMALL, 512, 2, "qlora"),
    Case(SMALL, 512, 2, "qlora", dtype="bf16"),
    Case(SMALL, 256, 2, rank=128),
    Case(SMALL, 256, 2, rank=128, optimizer="adamw_bnb_8bit"),
    Case(SMALL, 256, 2, rank=128, optimizer="galore_adamw"),
    Case(SMALL, 1024, 2, stored="fp32"),
    Case(MEDIUM, 256, 2),
    Case(MEDIUM, 512, 2, dtype="bf16"),
    Case(MEDIUM, 256, 2, "qlora"),
    Case(MEDIUM, 512, 2, "qlora", dtype="bf16"),
    Case(MEDIUM, 512, 4, "dora", dtype="bf16", rank=32),
    Case(LARGE, 256, 1, dtype="bf16"),
    Case(LARGE, 512, 2, "qlora", dtype="bf16", rank=64, optimizer="galore_adamw_8bit"),
)


def measure(case: Case) -> dict[str, object]:
    """Forecast by part and peak of one case, in bytes; in a process that did nothing before."""
    from dlm_core.api import AdapterSettings, Batch, Precision, Span, TrainingSettings, text_row
    from dlm_core.planning.memory import memory_parts
    from dlm_core.planning.peak import forget_peak, peak_memory
    from dlm_hf.testing import make_job

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([sys.executable, __file__, "--make", json.dumps(asdict(case)), folder], check=True)
        # Each row becomes two whole pieces and a rest, so that two steps are full: in the second there are moments.
        rows = [text_row("a " * (case.length * 2) + f"{n}", Span(n + 1)) for n in range(case.micro)]
        forget_peak()
        settings = AdapterSettings(case.adapter, case.rank, 16, case.dropout)
        job = make_job(
            place / "base",
            rows,
            place,
            adapters={"default": settings},
            settings=TrainingSettings(case.length, 1, case.optimizer),
            precision=Precision(case.dtype, "nf4" if case.adapter == "qlora" else "none", "a measurement"),
            batch=Batch(case.micro, 1),
        )
        from dlm_hf.sft import train

        train(job)
        peak = peak_memory()
        tokens = case.length * case.micro
        adapters = {"default": settings}
        parts = memory_parts(job.base.shape, adapters, job.precision, tokens, tokens, case.optimizer, backend="cpu")
        return {"parts": parts, "peak": peak, "parameters": job.base.shape.parameters}


def make(case: Case, folder: Path) -> None:
    from dlm_hf.testing import make_small_base

    hidden, intermediate, layers, vocabulary = case.shape
    make_small_base(
        folder / "base",
        hidden=hidden,
        intermediate=intermediate,
        layers=layers,
        heads=8,
        kv_heads=4,
        vocabulary=vocabulary,
        context=max(2048, case.length),
        dtype=case.stored,
    )


def main() -> None:
    """Run every case and print forecast, peak and how far apart they are; exit with 1 when one is too far."""
    results = []
    for case in CASES:
        command = [sys.executable, __file__, "--case", json.dumps(asdict(case))]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
        forecast = sum(found["parts"].values())
        off = forecast / found["peak"] - 1
        results.append({**asdict(case), **found, "off": off})
        if "--json" in sys.argv:
            print(json.dumps(results[-1]), flush=True)
        else:
            what = (
                f"{found['parameters'] / 1e6:6.1f}M {case.adapter:5} r{case.rank:<3} {case.optimizer:17} {case.dtype}"
            )
            sizes = f"{case.micro} x {case.length:<4} {forecast / 1e6:6.0f} MB {found['peak'] / 1e6:6.0f} MB"
            print(f"{what}  {sizes} {off:+.0%}", flush=True)
    far = max(abs(result["off"]) for result in results)
    print(f"furthest: {far:.0%} of {len(results)} cases", file=sys.stderr)
    sys.exit(far > WITHIN)


def _case(text: str) -> Case:
    found = json.loads(text)
    return Case(**{**found, "shape": tuple(found["shape"])})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(measure(_case(sys.argv[2]))))
    elif sys.argv[1:2] == ["--make"]:
        make(_case(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
