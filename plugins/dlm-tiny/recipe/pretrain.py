"""Pretrain the embedded base, from nothing or from its weights, on CPU processes or on one GPU.

    python -m recipe.pretrain SHARDS WORK --minutes 85 --processes 2             # two processes, one thread each
    python -m recipe.pretrain SHARDS WORK --tokens 20000000 --init dlm_tiny/model --mixture continue
    python -m recipe.pretrain SHARDS WORK --minutes 7 --device cuda --dtype bf16 --compile --rows 48 --length 1024

Started again with the same WORK it resumes from the newest checkpoint.  With `--tokens` the result depends only on
the arguments; with `--minutes` the learning rate follows the clock.  Ends with WORK/final (or --out).
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor

from . import checkpoint, optimizer
from .network import Shape, Weights, initial_weights, loss, rope
from .shards import Part, draw, read_parts, validation_windows

#: Shares of the parts before and after SWITCH of the budget; a part without shards is left out.
MIXTURES = {
    "start": (
        {"books": 0.28, "other": 0.34, "chat": 0.14, "synth": 0.24},
        {"books": 0.10, "other": 0.22, "chat": 0.33, "synth": 0.35},
    ),
    "continue": (
        {"books": 0.16, "other": 0.26, "chat": 0.10, "synth": 0.12, "invented": 0.36},
        {"books": 0.10, "other": 0.24, "chat": 0.14, "synth": 0.12, "invented": 0.40},
    ),
    "long": (
        {"books": 0.30, "other": 0.24, "chat": 0.04, "synth": 0.12, "invented": 0.30},
        {"books": 0.18, "other": 0.24, "chat": 0.08, "synth": 0.15, "invented": 0.35},
    ),
}
SWITCH = 0.6
AT_DOCUMENT_START = 0.6
WARMUP_STEPS = 40
CONSTANT = 0.35
FLOOR = 0.02
VALIDATION_TOKENS = 16384


@dataclass
class Run:
    """Everything that changes while training; what a checkpoint holds."""

    weights: Weights
    state: dict[str, Tensor]
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


def main() -> None:
    arguments = _arguments()
    if arguments.processes > 1 and "RANK" not in os.environ:
        raise SystemExit(_spawn(arguments.processes))
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    try:
        train(arguments)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def train(arguments: argparse.Namespace) -> None:
    """Load or make the weights, train until the budget is spent, write checkpoints on the way."""
    torch.set_num_threads(arguments.threads)
    torch.set_float32_matmul_precision("high")
    shape, device = Shape(), torch.device(arguments.device)
    run = _load(arguments, shape, device)
    parts, held_out = read_parts(arguments.shards, "train"), read_parts(arguments.shards, "val")
    tables = tuple(table.to(device) for table in rope(shape, arguments.length))
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype]

    def mean_loss(weights: Weights, window: Tensor) -> Tensor:
        return loss(weights, window, (tables[0], tables[1]), shape, dtype)

    compiled = torch.compile(mean_loss, dynamic=False) if arguments.compile else mean_loss
    _loop(arguments, run, parts, held_out, compiled, shape, device)


def rate_scale(progress: float, step: int, peak: float) -> float:
    """Learning-rate factor: `peak` after a linear warm-up, constant, then linear to FLOOR of it."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    fall = 1.0 if progress < CONSTANT else 1 - (1 - FLOOR) * (progress - CONSTANT) / (1 - CONSTANT)
    return peak * warm * fall


def _loop(
    arguments: argparse.Namespace,
    run: Run,
    parts: dict[str, Part],
    held_out: dict[str, Part],
    mean_loss: Callable[[Weights, Tensor], Tensor],
    shape: Shape,
    device: torch.device,
) -> None:
    rank, world = _rank_and_world()
    rows = arguments.rows // world
    mixture = MIXTURES[arguments.mixture]
    if run.step == 0 and rank == 0:
        _report(run, 0.0, validate(run.weights, held_out, mean_loss, arguments, device))
    resumed, begun, saved = run.seconds, time.monotonic(), time.monotonic()
    while (progress := _progress(arguments, run)) < 1.0 and run.step != arguments.stop_after:
        rng = np.random.default_rng([arguments.seed, run.step, rank])
        window = draw(parts, mixture[progress >= SWITCH], rng, rows, arguments.length, AT_DOCUMENT_START)
        value = mean_loss(run.weights, torch.from_numpy(window).to(device, non_blocking=True))
        torch.autograd.backward(value)
        gradients = _averaged_gradients(run.weights, world)
        scale = rate_scale(progress, run.step, arguments.peak)
        optimizer.step(run.weights, gradients, run.state, shape, run.step, scale)
        run.step += 1
        run.tokens += arguments.rows * arguments.length
        run.seconds = resumed + time.monotonic() - begun
        if rank == 0 and run.step % arguments.log_every == 0:
            _report(run, progress, {"train": value.item(), "scale": scale})
        if time.monotonic() - saved > 60 * arguments.save_minutes and rank == 0:
            saved = time.monotonic()
            _save(arguments, run)
            _report(run, progress, validate(run.weights, held_out, mean_loss, arguments, device))
    if rank == 0:
        losses = validate(run.weights, held_out, mean_loss, arguments, device)
        _report(run, progress, losses)
        _save(arguments, run)
        if progress >= 1.0:
            _finish(arguments, run, losses)


@torch.no_grad()
def validate(
    weights: Weights,
    held_out: dict[str, Part],
    mean_loss: Callable[[Weights, Tensor], Tensor],
    arguments: argparse.Namespace,
    device: torch.device,
) -> dict[str, float]:
    """Mean loss of each part on its first VALIDATION_TOKENS held-out tokens; `prose` is books and other together."""
    found = {}
    for name, part in held_out.items():
        windows = torch.from_numpy(validation_windows(part, arguments.length, VALIDATION_TOKENS))
        pieces = [mean_loss(weights, piece.to(device)).item() * len(piece) for piece in torch.split(windows, 8)]
        found[name] = sum(pieces) / len(windows)
    if "books" in found and "other" in found:
        found["prose"] = (found["books"] + found["other"]) / 2
    return found


def _progress(arguments: argparse.Namespace, run: Run) -> float:
    """Spent part of the budget; by the clock it is the first process's clock that counts."""
    if arguments.tokens:
        return float(min(1.0, run.tokens / arguments.tokens))
    spent = torch.tensor([run.seconds / (60 * arguments.minutes)], dtype=torch.float64)
    if dist.is_initialized():
        dist.broadcast(spent, 0)
    return min(1.0, spent.item())


def _averaged_gradients(weights: Weights, world: int) -> Weights:
    """Take the gradients off the weights, averaged over the processes."""
    found = {}
    for name, weight in weights.items():
        assert weight.grad is not None
        found[name], weight.grad = weight.grad, None
    if world == 1:
        return found
    flat = torch.cat([gradient.flatten() for gradient in found.values()])
    dist.all_reduce(flat)
    sizes = [gradient.numel() for gradient in found.values()]
    pieces = torch.split(flat / world, sizes)
    return {name: piece.view_as(found[name]) for name, piece in zip(found, pieces, strict=True)}


def _load(arguments: argparse.Namespace, shape: Shape, device: torch.device) -> Run:
    """The newest checkpoint in the work folder, else the weights of `--init`, else fresh ones."""
    newest = checkpoint.latest(arguments.work)
    if newest:
        groups, facts = checkpoint.load(newest, "weights", "state")
        run = Run(groups["weights"], groups["state"], facts["step"], facts["tokens"], facts["seconds"])
    else:
        start = arguments.init and load_file(arguments.init / "model.safetensors")
        weights = {k: v.float() for k, v in start.items()} if start else initial_weights(shape, arguments.seed)
        run = Run(weights, optimizer.new_state(weights, shape))
    run.weights = {name: weight.to(device).requires_grad_() for name, weight in sorted(run.weights.items())}
    run.state = {name: tensor.to(device) for name, tensor in run.state.items()}
    return run


def _save(arguments: argparse.Namespace, run: Run) -> None:
    facts = {"step": run.step, "tokens": run.tokens, "seconds": run.seconds}
    folder = arguments.work / f"step-{run.step:07d}"
    checkpoint.save(folder, {"weights": run.weights, "state": run.state}, facts)
    checkpoint.prune(arguments.work)


def _finish(arguments: argparse.Namespace, run: Run, losses: dict[str, float]) -> None:
    """Write the final weights alone, in bf16, for `export_model.py`."""
    weights = {name: weight.detach().bfloat16() for name, weight in run.weights.items()}
    facts = {"step": run.step, "tokens": run.tokens, "seconds": run.seconds, "losses": losses}
    checkpoint.save(arguments.out or arguments.work / "final", {"model": weights}, facts)


def _report(run: Run, progress: float, values: dict[str, float]) -> None:
    shown = {name: round(value, 4) for name, value in values.items()}
    facts = {"step": run.step, "tokens": run.tokens, "seconds": round(run.seconds, 1), "progress": round(progress, 4)}
    print(json.dumps(facts | shown), flush=True)


def _rank_and_world() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _spawn(processes: int) -> int:
    """Run this command once for each rank and return the first failure's exit status."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    children = [
        subprocess.Popen([sys.executable, "-m", "recipe.pretrain", *sys.argv[1:]], env=base | {"RANK": str(i)})
        for i in range(processes)
    ]
    statuses = [child.wait() for child in children]
    return next((status for status in statuses if status), 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("work", type=Path, help="folder for checkpoints")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--tokens", type=int, help="budget in tokens: deterministic")
    budget.add_argument("--minutes", type=float, help="budget in minutes of running, resumed ones included")
    parser.add_argument("--init", type=Path, help="model folder to go on from")
    parser.add_argument("--out", type=Path, help="folder for the final weights (default WORK/final)")
    parser.add_argument("--mixture", choices=sorted(MIXTURES), default="start")
    parser.add_argument("--peak", type=float, default=1.0, help="factor on both learning rates")
    parser.add_argument("--rows", type=int, default=16, help="windows in a step, all processes together")
    parser.add_argument("--length", type=int, default=256, help="tokens in a window")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="of the matrix products")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, help="stop at this step, before the budget is spent")
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--save-minutes", type=float, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    main()
