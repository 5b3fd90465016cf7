"""The losses of a micro batch, with only the positions that have a label projected onto the vocabulary.

The projection is most of a small model's work: a prompt's and a pad's share of it is saved.  Models whose head is
more than a linear layer (a soft cap, a scale) go through their own forward pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
import torch.utils.checkpoint

from .head_loss import HeadLoss, narrow_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

    from .batches import MicroBatch

# Rows of logits alive at a time.  Faster than one big matrix on CPU, and bounded in memory everywhere.
_CHUNK = 256


def plain_head(model: PreTrainedModel) -> torch.nn.Module | None:
    """The model's output projection, or None when its logits are more than that projection.

    Some families scale or cap their logits.  Instead of a list of names, the model is asked: two tokens go through
    the whole model and through body and head, and the results must agree.
    """
    head = model.get_output_embeddings()
    body = getattr(model, model.base_model_prefix, None)
    if head is None or body is None or body is model:
        return None
    ids = torch.tensor([[1, 2]], device=model.device)
    with torch.no_grad():
        whole = model(input_ids=ids, use_cache=False).logits
        parts = head(body(input_ids=ids, use_cache=False).last_hidden_state)
    same: bool = torch.equal(whole, parts.to(whole.dtype))
    return head if same else None


def summed_loss(model: Any, batch: MicroBatch, plain_head: bool) -> torch.Tensor:
    """The cross entropy in nats, summed over the labelled positions; a float32 scalar with a gradient.

    `model` is the transformers model itself, with or without adapters inside.  `plain_head` says that its logits are
    its decoder's last hidden states times its head, as the function `plain_head` finds out.
    """
    states = labelled_states(model, batch, plain_head)
    if not plain_head:
        return F.cross_entropy(states.float(), batch.targets, reduction="sum")
    head = model.get_output_embeddings()
    if (narrow := narrow_weight(head)) is not None:
        loss: torch.Tensor = HeadLoss.apply(states, narrow, head.bias, batch.targets, _CHUNK)  # type: ignore[no-untyped-call]
        return loss
    if type(head) is not torch.nn.Linear or head.weight.requires_grad or head._forward_hooks:
        return _chunked_loss(head, states, batch.targets)
    return F.linear_cross_entropy(
        states.to(head.weight.dtype),
        head.weight,
        batch.targets,
        linear_bias=head.bias,
        reduction="sum",
        options=torch.nn.LinearCrossEntropyOptions(chunking_method=None, batch_chunk_size=_CHUNK),
    ).float()


def _chunked_loss(head: torch.nn.Module, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The summed loss through a head of any kind, a chunk of logits at a time; backward computes them anew."""
    parts = list(zip(torch.split(states, _CHUNK), torch.split(targets, _CHUNK), strict=True))

    def one(part: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(head(part).float(), wanted, reduction="sum")

    if len(parts) == 1 or not states.requires_grad:
        return torch.stack([one(*pair) for pair in parts]).sum()
    again = [torch.utils.checkpoint.checkpoint(one, *pair, use_reentrant=False) for pair in parts]
    return torch.stack(again).sum()


def label_losses(model: Any, batch: MicroBatch, plain_head: bool) -> torch.Tensor:
    """The cross entropy in nats of each labelled position, float32, in the order of `batch.positions`."""
    states = labelled_states(model, batch, plain_head)
    head = model.get_output_embeddings() if plain_head else torch.nn.Identity()
    parts = zip(torch.split(states, _CHUNK), torch.split(batch.targets, _CHUNK), strict=True)
    return torch.cat([F.cross_entropy(head(part).float(), wanted, reduction="none") for part, wanted in parts])


def in_dtype(tensors: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The same tensors, those of fractions in a model's dtype."""
    return {name: one.to(dtype) if one.is_floating_point() else one for name, one in tensors.items()}


def labelled_states(model: Any, batch: MicroBatch, plain_head: bool) -> torch.Tensor:
    """What predicts each learned token: hidden states (labelled, width), or logits without a plain head."""
    beside = in_dtype(batch.beside, model.dtype)
    if plain_head:
        decoder = getattr(model, model.base_model_prefix)
        states = decoder(input_ids=batch.ids, use_cache=False, **beside).last_hidden_state
    else:
        states = model(input_ids=batch.ids, use_cache=False, **beside).logits
    # index_select over distinct positions has a deterministic backward pass, which a boolean mask has not everywhere.
    chosen: torch.Tensor = states.reshape(-1, states.shape[-1]).index_select(0, batch.positions)
    return chosen
