"""Losses of labelled tokens without the logits of all the others: the projection onto the vocabulary costs most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's standard name

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CHUNK = 2**26  # logits held at once: 256 MB in float32


def plain_head(model: PreTrainedModel) -> nn.Module | None:
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


def label_losses(model: PreTrainedModel, head: nn.Module | None, ids: Tensor, learned: Tensor) -> Tensor:
    """Negative log-likelihood in nats, float32, of each learned token, in the order of `learned.nonzero()`.

    `ids` and `learned` have the shape (rows, length), padded on the right, where a causal model needs no attention
    mask; `learned` is false on padding and on each row's first token.  `head` is what `plain_head` said of the model.
    """
    targets, before = ids[learned], learned[:, 1:]
    if head is None:
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1][before]
        return F.cross_entropy(logits.float(), targets, reduction="none")
    body = getattr(model, model.base_model_prefix)
    hidden = body(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][before]
    rows = max(1, _CHUNK // max(1, model.config.get_text_config().vocab_size))
    losses = [
        F.cross_entropy(head(part).float(), wanted, reduction="none")
        for part, wanted in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    ]
    return torch.cat(losses)
