"""Writing tensors uses the machine sparingly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType
from threadpoolctl import threadpool_info, threadpool_limits

from dlm_gguf.sources import Constant
from dlm_gguf.write import Target, write_all


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_blas_thread_merges(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    class Watched(Constant):
        def block(self, first: int, last: int, room: Any) -> Any:
            seen.append(blas_threads())
            return self.values[first:last]

    source = Watched("token_embd.weight", np.ones((4, 32), np.float32))
    types = {source.name: GGMLQuantizationType.F16}
    with threadpool_limits(2, "blas"), Target(tmp_path / "x.gguf", types, lambda writer: None, "llama") as target:
        before = blas_threads()
        write_all([source], [target])
        assert blas_threads() == before
    assert set(before) == {2}
    assert seen == [[1] * len(before)]
