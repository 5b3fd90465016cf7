"""What a base alone makes of a text: the mean of its tokens' embeddings, read from the base's files.

No forward pass is needed, the precision of a run has no part in it, and a text's features do not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlm_core.api import RunFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from .shape import TensorInfo
    from .tokens import Coder

_NAMES = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")


def text_features(base: Path, coder: Coder, texts: Sequence[str]) -> Tensor:
    """The mean embedding of each text's tokens, shape (texts, width), float32; zeros for a text without any.

    Sums are taken in float64.  Raises RunFailedError for a base whose files hold no embeddings by a usual name.
    """
    import torch

    table = _embeddings(base)
    encoded = [coder.encode(text) for text in texts]
    ids = sorted({one for text in encoded for one in text if one < table.shape[0]})
    rows = dict(zip(ids, _rows(table, ids), strict=True))
    found = torch.zeros(len(texts), table.shape[1], dtype=torch.float64)
    for place, text in enumerate(encoded):
        if known := [rows[one] for one in text if one in rows]:
            found[place] = torch.stack(known).mean(0)
    return found.float()


def _embeddings(base: Path) -> TensorInfo:
    from .shape import read_tensors

    for info in read_tensors(base):
        if info.name.endswith(_NAMES) and len(info.shape) == 2:
            return info
    raise RunFailedError(f"the files in {base} hold no embeddings by a usual name", f"known: {', '.join(_NAMES)}")


def _rows(table: TensorInfo, ids: Sequence[int]) -> list[Tensor]:
    """Single rows in float64, each read from its place in the file."""
    import torch

    dtypes = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if table.dtype not in dtypes:
        raise RunFailedError(f"the embeddings {table.name} have the type {table.dtype}, which is not known here")
    size = table.size // table.shape[0]
    found = []
    with table.file.open("rb") as stream:
        for one in ids:
            stream.seek(table.offset + one * size)
            found.append(torch.frombuffer(bytearray(stream.read(size)), dtype=dtypes[table.dtype]).double())
    return found
