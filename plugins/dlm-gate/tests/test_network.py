"""The gate by itself: gradients, what its settings do, and that no prompt depends on another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dlm_gate import network
from dlm_gate.phase import BATCH, order


def learned(adapters: int = 3) -> tuple[network.Network, torch.Tensor, torch.Tensor]:
    """A gate with nothing at zero, features and labels."""
    dice = torch.Generator().manual_seed(1)
    features = torch.randn(7, 5, generator=dice).float()
    gate = network.fresh(features, 8, adapters, seed=3)
    shaken = {
        name: getattr(gate, name) + 0.3 * torch.randn(getattr(gate, name).shape, generator=dice, dtype=torch.float64)
        for name in network.LEARNED
    }
    return replace(gate, **shaken), features, torch.tensor([0, 1, 2, 0, 1, 2, 0])


@pytest.mark.parametrize("entropy_lambda", [0.0, 0.01, 1.0])
def test_gradients_are_the_numeric_ones(entropy_lambda: float) -> None:
    gate, features, labels = learned()
    for one in gate.parameters():
        one.requires_grad_(True)
    network.loss(gate.logits(features), labels, entropy_lambda).backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    for one in gate.parameters():
        assert one.grad is not None
        flat, slopes = one.detach().view(-1), one.grad.view(-1)
        for place in range(len(flat)):
            around = []
            for change in (step, -step):
                flat[place] += change
                with torch.no_grad():
                    around.append(float(network.loss(gate.logits(features), labels, entropy_lambda)))
                flat[place] -= change
            assert float(slopes[place]) == pytest.approx((around[0] - around[1]) / (2 * step), rel=1e-5, abs=1e-8)


def test_the_loss_is_cross_entropy_less_entropy() -> None:
    gate, features, labels = learned()
    shares = gate.logits(features).softmax(-1)
    entropy = -(shares * shares.log()).sum(-1).mean()
    cross = -shares[torch.arange(len(labels)), labels].log().mean()
    found = float(network.loss(gate.logits(features), labels, 0.25))
    assert found == pytest.approx(float(cross - 0.25 * entropy), abs=1e-12)


def test_a_fresh_gate_weighs_all_the_same_and_is_drawn_from_its_seed() -> None:
    features = torch.randn(6, 5)
    gates = [network.fresh(features, 8, 3, seed) for seed in (1, 1, 2)]
    assert torch.allclose(gates[0].weights(features), torch.full((6, 3), 1 / 3, dtype=torch.float64))
    assert torch.equal(gates[0].down, gates[1].down)
    assert not torch.equal(gates[0].down, gates[2].down)


def test_a_prompt_s_shares_do_not_depend_on_the_prompts_beside_it() -> None:
    gate, features, _ = learned()
    together = gate.weights(features)
    assert torch.allclose(together.sum(-1), torch.ones(7, dtype=torch.float64))
    assert all(torch.equal(gate.weights(features[place : place + 1])[0], together[place]) for place in range(7))


def test_a_feature_that_never_varies_is_left_as_it_is() -> None:
    gate = network.fresh(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), 8, 2, 0)
    assert gate.spread.tolist() == [1.0, 1.0]
    assert gate.mean.tolist() == [2.0, 5.0]


def test_an_epoch_has_every_prompt_once() -> None:
    count = 2 * BATCH + 5
    epochs = [torch.cat([order(count, step, 42) for step in range(first, first + 3)]) for first in (0, 3)]
    assert all(sorted(epoch.tolist()) == list(range(count)) for epoch in epochs)
    assert not torch.equal(*epochs)
    assert not torch.equal(epochs[0], torch.cat([order(count, step, 43) for step in range(3)]))
