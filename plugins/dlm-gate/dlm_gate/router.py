"""The gate at work: a prompt's features in, each adapter's share of the answer out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlm_core.api import Route, Router

from . import stored
from .prompts import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from dlm_core.api import Message, OpenModel


class Gate(Router):
    """Answers each prompt with its own mixture of the document's adapters."""

    name = stored.NAME
    help = "Let the trained gate weigh the adapters for each prompt (auto, where there is one), or not."

    def route(self, folder: Path, model: OpenModel, prompts: Sequence[Sequence[Message]]) -> Sequence[Route]:
        about = stored.read_about(folder)
        if not about.learned:
            return [self.fixed(folder) for _ in prompts]
        import torch

        gate = stored.read_network(folder)
        features = torch.as_tensor(model.features([text_of(prompt) for prompt in prompts]))
        if features.shape[1] != len(gate.mean):
            from dlm_core.api import RunFailedError

            raise RunFailedError("the gate was trained on another base", "train the document again")
        weights = gate.weights(features).tolist()
        return [Route(dict(zip(about.names, shares, strict=True)), about.reason) for shares in weights]

    def fixed(self, folder: Path) -> Route:
        about = stored.read_about(folder)
        return Route(about.shares, about.reason if about.learned else f"uniform: {about.reason}")
