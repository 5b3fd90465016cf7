"""GaLore (Zhao et al. 2024): an optimizer whose state lives in a low-rank projection of the gradients.

The projector is galore-torch's.  Its own optimizers are not used: the 8-bit one calls CUDA on every machine and hands
bitsandbytes 0.50 its arguments in an old order, and both keep Python objects in their state, which a checkpoint
without pickle cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

# Steps between two projections.  The paper takes 200 for pretraining; a document often has fewer in all.
REFRESH = 50

# Directions with less than this share of the strongest gradient are left out: Adam would make whole steps of rounding.
NEGLIGIBLE = 1e-3

# Of larger matrices no more is kept, as in the paper's runs.
MOST_RANK = 128

MakeOptimizer = Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]


def rank_of(shape: Sequence[int]) -> int:
    """The rank kept of a matrix's gradients: half its smaller side; 0 for what cannot be projected."""
    return min(MOST_RANK, min(shape) // 2) if len(shape) == 2 else 0


class GaLore(torch.optim.Optimizer):
    """Another optimizer, working on projected gradients: for r × n it keeps rank × n, r > rank.

    The update is projected back and added; its scale is 1, so the learning rate means what it means elsewhere.
    Vectors are left to the inner optimizer as they are.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], learning_rate: float, make_inner: MakeOptimizer) -> None:
        super().__init__(parameters, {"lr": learning_rate})
        from galore_torch.galore_projector import GaLoreProjector  # type: ignore[import-untyped]

        self.small: dict[torch.nn.Parameter, torch.nn.Parameter] = {}
        self.projectors: dict[torch.nn.Parameter, Any] = {}
        for one in parameters:
            if rank := rank_of(one.shape):
                self.projectors[one] = GaLoreProjector(rank, update_proj_gap=REFRESH, scale=1.0)
                # The projector keeps the larger side whole.
                shape = (one.shape[0], rank) if one.shape[0] >= one.shape[1] else (rank, one.shape[1])
                self.small[one] = torch.nn.Parameter(torch.zeros(shape, dtype=one.dtype, device=one.device))
                self.state[one]["steps"] = 0
        self.inner = make_inner([self.small.get(one, one) for one in parameters])

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        moved = [one for one in self.small if self._project(one)]
        (group,), (inner,) = self.param_groups, self.inner.param_groups
        inner["lr"] = group["lr"]
        self.inner.step()
        for one in moved:
            one.add_(self.projectors[one].project_back(self.small[one]))
            self.small[one].grad = None

    def _project(self, one: torch.nn.Parameter) -> bool:
        """Hand the inner optimizer the projected gradient; False while there is none to find a projection of.

        LoRA's A has no gradient in the first step, since B is zero: its singular vectors would say nothing.
        """
        projector, small, state = self.projectors[one], self.small[one], self.state[one]
        if one.grad is None or (projector.ortho_matrix is None and not one.grad.any()):
            return False
        small.zero_()
        projected = projector.project(one.grad, state["steps"])
        if state["steps"] % REFRESH == 0:
            projected = _without_rounding(projector, projected)
        small.grad = projected.contiguous()
        state["steps"] += 1
        return True

    def own_tensors(self, one: torch.nn.Parameter) -> dict[str, torch.Tensor]:
        """What a checkpoint needs of a parameter besides the inner optimizer's state."""
        if one not in self.projectors:
            return {}
        steps, matrix = self.state[one]["steps"], self.projectors[one].ortho_matrix
        return {"galore_steps": torch.tensor(steps)} | ({} if matrix is None else {"galore_projection": matrix})

    def take_tensors(self, one: torch.nn.Parameter, tensors: dict[str, torch.Tensor]) -> None:
        """Put back what `own_tensors` gave."""
        if one not in self.projectors:
            return
        self.state[one]["steps"] = int(tensors["galore_steps"])
        matrix = tensors.get("galore_projection")
        self.projectors[one].ortho_matrix = None if matrix is None else matrix.to(one.device)


def _without_rounding(projector: Any, projected: torch.Tensor) -> torch.Tensor:
    """Drop the directions of a new projection in which there is no gradient to speak of; returns what is left of it.

    A gradient of few tokens has a lower rank than is kept, and its remaining singular vectors are arbitrary.
    """
    along = 0 if projected.shape[0] < projected.shape[1] else 1
    strength = projected.norm(dim=1 - along)
    kept = (strength > NEGLIGIBLE * strength.max()).to(projected.dtype)
    # The projection is (rows, rank) from the left and (rank, columns) from the right.
    projector.ortho_matrix = projector.ortho_matrix * (kept if along == 0 else kept.unsqueeze(1))
    left: torch.Tensor = projected * (kept.unsqueeze(1) if along == 0 else kept)
    return left
