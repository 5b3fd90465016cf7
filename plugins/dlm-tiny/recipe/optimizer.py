"""The optimizer: Muon for the matrices of the blocks, AdamW for everything else, its state plain tensors."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from .network import Shape, Weights, matrix_shapes

MUON_RATE = 0.02
ADAM_RATE = 0.003
ADAM_BETAS = (0.9, 0.95)
MOMENTUM_STEPS = 300


def new_state(weights: Weights, shape: Shape) -> dict[str, Tensor]:
    """Zero moments: `muon.NAME` for the matrices, `mean.NAME` and `square.NAME` for the rest."""
    matrices = matrix_shapes(shape)
    state = {f"muon.{name}": torch.zeros_like(weights[name]) for name in matrices}
    for name in weights.keys() - matrices.keys():
        state |= {f"mean.{name}": torch.zeros_like(weights[name]), f"square.{name}": torch.zeros_like(weights[name])}
    return state


@torch.no_grad()
def step(
    weights: Weights, gradients: Weights, state: dict[str, Tensor], shape: Shape, count: int, scale: float
) -> None:
    """Update weights and state in place.  `count` is the step from 0, `scale` multiplies both learning rates."""
    matrices = matrix_shapes(shape)
    for name in weights.keys() - matrices.keys():
        _adam(weights[name], gradients[name], state, name, count, scale * ADAM_RATE)
    momentum = 0.85 + 0.10 * min(1.0, count / MOMENTUM_STEPS)
    for size in dict.fromkeys(matrices.values()):
        names = [name for name, other in matrices.items() if other == size]
        _muon(weights, gradients, state, names, momentum, scale * MUON_RATE)


def orthogonalize(stack: Tensor) -> Tensor:
    """Five quintic Newton-Schulz steps towards the nearest orthogonal matrices, in bf16.

    `stack` is (count, rows, columns).  Coefficients: K. Jordan, "Muon: an optimizer for hidden layers", 2024.
    """
    x = stack.bfloat16()
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return torch.as_tensor(x.mT if tall else x, dtype=torch.float32)


def _muon(
    weights: Weights, gradients: Weights, state: dict[str, Tensor], names: list[str], momentum: float, rate: float
) -> None:
    updates = []
    for name in names:
        buffer = state[f"muon.{name}"].lerp_(gradients[name], 1 - momentum)
        updates.append(gradients[name].lerp(buffer, momentum))
    stack = _orthogonalize_shared(torch.stack(updates))
    rows, columns = stack.shape[1:]
    for name, update in zip(names, stack, strict=True):
        weights[name].add_(update, alpha=-rate * max(1.0, rows / columns) ** 0.5)


def _orthogonalize_shared(stack: Tensor) -> Tensor:
    """Each process orthogonalizes its share of the matrices and hands the result to the others."""
    world = dist.get_world_size() if dist.is_initialized() else 1
    if world == 1 or len(stack) % world:
        return orthogonalize(stack)
    share = len(stack) // world
    mine = orthogonalize(stack[dist.get_rank() * share :][:share]).contiguous()
    shares = [torch.empty_like(mine) for _ in range(world)]
    dist.all_gather(shares, mine)
    return torch.cat(shares)


def _adam(weight: Tensor, gradient: Tensor, state: dict[str, Tensor], name: str, count: int, rate: float) -> None:
    slow, fast = ADAM_BETAS
    mean = state[f"mean.{name}"].lerp_(gradient, 1 - slow)
    square = state[f"square.{name}"].lerp_(gradient.square(), 1 - fast)
    mean_hat = mean / (1 - slow ** (count + 1))
    square_hat = square / (1 - fast ** (count + 1))
    weight.addcdiv_(mean_hat, square_hat.sqrt().add_(1e-8), value=-rate)
