"""The gate itself: a layer down, GELU, a layer up, softmax; all of it in float64, which costs nothing at this size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

#: Below this spread a feature is the same for all prompts, and is left as it is.
_LEAST_SPREAD = 1e-6

#: What learns.
LEARNED = ("down", "down_bias", "up", "up_bias")


@dataclass(frozen=True, slots=True)
class Network:
    """`mean` and `spread` (width,) are of the prompts that it learned from: features are taken relative to them.

    `down` is (hidden, width), `up` (adapters, hidden).
    """

    mean: Tensor
    spread: Tensor
    down: Tensor
    down_bias: Tensor
    up: Tensor
    up_bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """One number for each adapter: features (prompts, width) give (prompts, adapters)."""
        relative = (features.double() - self.mean) / self.spread
        hidden = F.gelu(F.linear(relative, self.down, self.down_bias))
        return F.linear(hidden, self.up, self.up_bias)

    def weights(self, features: Tensor) -> Tensor:
        """Each adapter's share, (prompts, adapters); a prompt's shares sum to 1 and depend on no other prompt."""
        with torch.no_grad():
            rows = [self.logits(row[None]).softmax(-1) for row in features]
        return torch.cat(rows) if rows else torch.zeros(0, len(self.up_bias), dtype=torch.float64)

    def tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name).detach().clone() for name in ("mean", "spread", *LEARNED)}

    def parameters(self) -> list[Tensor]:
        return [getattr(self, name) for name in LEARNED]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Network:
        return cls(**{name: tensors[name].double() for name in ("mean", "spread", *LEARNED)})


def fresh(features: Tensor, hidden: int, adapters: int, seed: int) -> Network:
    """A gate that has learned nothing: all adapters weigh the same.  Only the first layer is drawn, from `seed`."""
    known = features.double()
    spread = known.std(0, correction=0)
    spread = torch.where(spread < _LEAST_SPREAD, torch.ones_like(spread), spread)
    width = known.shape[1]
    dice = torch.Generator().manual_seed(seed)
    bound = width**-0.5
    down = (torch.rand(hidden, width, generator=dice, dtype=torch.float64) * 2 - 1) * bound
    zeros = torch.zeros(adapters, hidden, dtype=torch.float64)
    return Network(known.mean(0), spread, down, torch.zeros_like(down[:, 0]), zeros, torch.zeros_like(zeros[:, 0]))


def loss(logits: Tensor, labels: Tensor, entropy_lambda: float) -> Tensor:
    """Cross entropy less `entropy_lambda` times the mean entropy of the shares, in nats; a scalar.

    `logits` is (prompts, adapters), `labels` (prompts,) the number of each prompt's own adapter.
    """
    logs = logits.log_softmax(-1)
    entropy = -(logs.exp() * logs).sum(-1).mean()
    return F.nll_loss(logs, labels) - entropy_lambda * entropy
