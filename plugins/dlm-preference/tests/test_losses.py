"""The losses against formulas written down again in numpy's 64 bits, and what they must do whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlm_preference.losses import dpo, orpo

POLICY = np.array([[-12.5, -30.25], [-80.0, -20.5], [-0.001, -0.002], [-7.0, -7.0], [-400.0, -3.0]])
REFERENCE = np.array([[-13.0, -29.0], [-75.0, -25.0], [-0.5, -0.25], [-7.0, -7.0], [-390.0, -1.0]])
COUNTS = np.array([[5.0, 9.0], [30.0, 7.0], [2.0, 1.0], [3.0, 4.0], [60.0, 2.0]])


def by_hand(kind: str, number: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses and margins straight from the papers."""
    if kind == "orpo":
        mean = POLICY / COUNTS
        odds = np.exp(mean) / (1 - np.exp(mean))
        margin = np.log(odds[:, 0] / odds[:, 1])
        return -mean[:, 0] + number * np.log(1 + np.exp(-margin)), margin
    gained = POLICY - REFERENCE
    margin = number * (gained[:, 0] - gained[:, 1])
    if kind == "sigmoid":
        return -np.log(1 / (1 + np.exp(-margin))), margin
    if kind == "hinge":
        return np.maximum(0, 1 - margin), margin
    per_token = gained / COUNTS
    return (per_token[:, 0] - per_token[:, 1] - 0.5 / number) ** 2, number * (per_token[:, 0] - per_token[:, 1])


def computed(kind: str, number: float, policy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    reference, counts = torch.tensor(REFERENCE), torch.tensor(COUNTS)
    if kind == "orpo":
        return orpo(policy, counts, number)
    return dpo(policy, reference, counts, kind, number)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("kind", ["sigmoid", "hinge", "ipo", "orpo"])
def test_as_in_the_papers(kind: str, number: float) -> None:
    losses, margins = computed(kind, number, torch.tensor(POLICY))
    wanted, wanted_margins = by_hand(kind, number)
    np.testing.assert_allclose(losses.numpy(), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(margins.numpy(), wanted_margins, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["sigmoid", "hinge", "ipo", "orpo"])
def test_the_gradient_is_that_of_the_loss(kind: str) -> None:
    policy = torch.tensor(POLICY[:2], requires_grad=True)

    def total(values: torch.Tensor) -> torch.Tensor:
        whole = torch.cat([values, torch.tensor(POLICY[2:])])
        return computed(kind, 0.1, whole)[0].sum()

    assert torch.autograd.gradcheck(total, (policy,), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["sigmoid", "hinge", "ipo", "orpo"])
def test_certainty_and_hopelessness_have_finite_losses_and_gradients(kind: str) -> None:
    policy = torch.tensor([[0.0, -1e5], [-1e5, 0.0], [-1e-15, -1e-15], [0.0, 0.0], [-1e5, -1e5]]).double()
    policy.requires_grad_()
    losses, margins = computed(kind, 0.1, policy)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert policy.grad is not None
    assert all(bool(torch.isfinite(one).all()) for one in (losses, margins, policy.grad))
