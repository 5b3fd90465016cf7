"""Embedding rows that an adapter brings along: the rows of some token ids, learned beside LoRA's matrices.

A base's embeddings stay as they are; what is learned is added to what they give, and with tied embeddings to what the
head gives.  On disk they are PEFT's `trainable_token_indices`: whole rows in place of the base's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import torch

INDICES = "trainable_token_indices"
STORED = "token_adapter.trainable_tokens_delta"
_LEARNED = "learned_token_rows"
_WEIGHTS = "adapter_model.safetensors"

#: How much smaller steps of rows are than steps of LoRA's matrices: Adam's are as large as the learning rate whatever
#: the gradient, and an embedding's elements are small.
ROW_RATE = 0.1


@dataclass(slots=True)
class TokenRows:
    """Rows on a model until `remove`.  `change` times ROW_RATE, shape (ids, hidden), float32, is what is added."""

    model: Any
    ids: list[int]
    change: torch.Tensor
    hooks: list[Any] = field(default_factory=list)

    def values(self) -> torch.Tensor:
        """The whole rows, float32, on the CPU, as they are stored."""
        rows = self.model.get_input_embeddings().weight[self.ids].detach().float()
        whole: torch.Tensor = (rows + ROW_RATE * self.change.detach()).cpu()
        return whole

    def learn(self, is_learning: bool) -> None:
        """Let the rows learn, or keep them as they are from now on."""
        self.change.requires_grad_(is_learning)

    def remove(self) -> None:
        """Leave the model as it was."""
        embeddings = self.model.get_input_embeddings()
        for hook in self.hooks:
            hook.remove()
        embeddings._parameters.pop(_LEARNED, None)
        del embeddings.token_rows


def put_rows(model: Any, ids: Iterable[int], start: Path | None = None, learning: bool = True) -> TokenRows | None:
    """Add rows for `ids` and for those that the adapter in `start` has, with its values; None when there are none.

    With `learning` they are parameters of the model, and `is_rows` knows their name.
    """
    import torch

    known, values = stored_rows(start) if start is not None else ([], None)
    every = sorted({*ids, *known})
    if not every:
        return None
    embeddings = model.get_input_embeddings()
    width = embeddings.weight.shape[1]
    change = torch.zeros(len(every), width, device=embeddings.weight.device)
    if values is not None:
        places = [every.index(one) for one in known] if len(known) < len(every) else list(range(len(every)))
        learned = values.to(change) - embeddings.weight[known].float()
        change[places] = learned / ROW_RATE
    rows = TokenRows(model, every, torch.nn.Parameter(change, requires_grad=learning))
    if learning:
        embeddings.register_parameter(_LEARNED, rows.change)
    embeddings.token_rows = rows
    rows.hooks = _hooks(model, rows)
    return rows


def rows_of(model: Any) -> TokenRows | None:
    """The rows that are on a model."""
    return getattr(model.get_input_embeddings(), "token_rows", None)


def is_rows(parameter: str) -> bool:
    """Whether a parameter of this name holds rows: it counts as learned also when it has stopped learning."""
    return parameter.endswith(_LEARNED)


def stored_rows(adapter: Path) -> tuple[list[int], torch.Tensor | None]:
    """The ids and rows of an adapter's folder; none of either for an adapter without."""
    from safetensors import safe_open

    ids = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get(INDICES)
    if not ids:
        return [], None
    with safe_open(adapter / _WEIGHTS, "pt") as file:
        (name,) = (name for name in file.keys() if name.endswith(STORED))  # noqa: SIM118 - the file is no mapping
        return list(ids), file.get_tensor(name).float()


def stored_name(model: Any) -> str:
    """PEFT's name of the rows' tensor in a model's adapter."""
    embeddings = model.get_input_embeddings()
    base = getattr(model, "base_model", model)
    base = getattr(base, "model", base) if hasattr(model, "peft_config") else model
    name = next(name for name, module in base.named_modules() if module is embeddings)
    return f"base_model.model.{name}.{STORED}"


def _hooks(model: Any, rows: TokenRows) -> list[Any]:
    """Add the rows to what the embeddings give, and to the head's logits where it shares their weight."""
    import torch

    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    where = torch.tensor(rows.ids, device=rows.change.device)
    slots = torch.zeros(embeddings.weight.shape[0], dtype=torch.long, device=where.device)
    slots[where] = torch.arange(1, len(rows.ids) + 1, device=where.device)

    def embed(module: Any, args: tuple[torch.Tensor], out: torch.Tensor) -> torch.Tensor:
        none = rows.change.new_zeros(1, rows.change.shape[1])
        added = torch.nn.functional.embedding(slots[args[0]], torch.cat([none, ROW_RATE * rows.change]))
        scale = getattr(module, "embed_scale", 1.0)  # some families multiply what they look up
        return out + (added * scale).to(out.dtype)

    def project(_: Any, args: tuple[torch.Tensor], out: torch.Tensor) -> torch.Tensor:
        change = (ROW_RATE * rows.change).to(args[0].dtype)
        return out.index_add(-1, where, (args[0] @ change.T).to(out.dtype))

    hooks = [embeddings.register_forward_hook(embed)]
    if head is not None and head.weight is embeddings.weight:
        hooks.append(head.register_forward_hook(project))
    return hooks
