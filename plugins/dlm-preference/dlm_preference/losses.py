"""The losses of pairs, from the log-probabilities of their answers.

Shapes: `policy`, `reference` and `counts` are (pairs, 2), column 0 the chosen and column 1 the rejected answer;
`policy` and `reference` are summed over an answer's tokens, in nats, and `counts` are those tokens.  Results are
(pairs,): a loss a pair, and a margin a pair: the reward of the chosen less that of the rejected answer.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

LossType = Literal["sigmoid", "hinge", "ipo"]

# Where a probability is 1 its log odds are infinite; this far below they are large and finite.
_SURE = -1e-12


class Judged(NamedTuple):
    losses: Tensor
    margins: Tensor


def dpo(policy: Tensor, reference: Tensor, counts: Tensor, loss_type: LossType, beta: float) -> Judged:
    """Direct preference optimization (Rafailov and others 2023), by the margin of the pair's implicit rewards.

    An answer's reward is beta times what its log-probability gained over the reference.  `sigmoid` is that paper's
    equation 7, `hinge` the loss of SLiC-HF (Zhao and others 2023), `ipo` equation 17 of Azar and others 2023 with
    log-probabilities a token, as its authors used it.
    """
    gained = policy - reference
    if loss_type == "ipo":
        gained = gained / counts
    difference = gained[:, 0] - gained[:, 1]
    margins = beta * difference
    if loss_type == "sigmoid":
        return Judged(-F.logsigmoid(margins), margins)
    if loss_type == "hinge":
        return Judged(torch.relu(1 - margins), margins)
    return Judged((difference - 1 / (2 * beta)) ** 2, margins)


def orpo(policy: Tensor, counts: Tensor, alpha: float) -> Judged:
    """Odds ratio preference optimization (Hong, Lee and Thorne 2024, equations 6 and 7).

    The chosen answer's loss a token, and alpha (their lambda) times how little its odds exceed those of the rejected
    one; the odds are those of an answer's mean token.  The margin is the log of the ratio of the odds.
    """
    means = (policy / counts).clamp(max=_SURE)
    odds = means - _log1mexp(means)
    margins = odds[:, 0] - odds[:, 1]
    return Judged(-means[:, 0] - alpha * F.logsigmoid(margins), margins)


def _log1mexp(values: Tensor) -> Tensor:
    """log(1 − exp(x)) for x < 0, exact on both sides of −log 2 (Mächler 2012)."""
    near = values > -math.log(2)
    close = torch.log(-torch.expm1(torch.where(near, values, -1.0)))
    far = torch.log1p(-torch.exp(torch.where(near, -1.0, values)))
    return torch.where(near, close, far)
