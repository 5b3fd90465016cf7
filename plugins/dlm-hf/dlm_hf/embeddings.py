"""Rows for token ids that a base's tokenizer knows and its embeddings do not.

They are the mean of the rows that are there and are never trained, so training, engine and exports agree on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_NAMES = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight", "lm_head.weight")


def fit_embeddings(model: Any, vocabulary_size: int) -> bool:
    """Give every id below `vocabulary_size` a row in the model's embeddings and head; whether rows were added."""
    import torch

    from .cpu_linear import is_mixed, multiply_in_bf16

    before = model.get_input_embeddings().weight.shape[0]
    if vocabulary_size <= before:
        return False
    model.resize_token_embeddings(vocabulary_size, mean_resizing=False)
    with torch.no_grad():
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            if layer is not None and layer.weight.shape[0] == vocabulary_size:
                layer.weight[before:] = _mean_row(layer.weight[:before])
    if is_mixed(model):
        multiply_in_bf16(model)
    return True


def grown(weight: Tensor, rows: int) -> Tensor:
    """An embedding's weight, (rows before, width), with mean rows below it up to `rows`."""
    import torch

    return torch.cat([weight, _mean_row(weight).expand(rows - len(weight), -1)])


def missing_rows(folder: Path) -> dict[str, int]:
    """The tensors of a base's files that `fit_embeddings` would make longer, and how long; usually none."""
    from .coder import load_coder
    from .shape import read_tensors

    rows = load_coder(folder).vocabulary_size
    return {info.name: rows for info in read_tensors(folder) if info.name.endswith(_NAMES) and info.shape[0] < rows}


def _mean_row(weight: Tensor) -> Tensor:
    import torch

    return weight.mean(0, dtype=torch.float32).to(weight.dtype)
