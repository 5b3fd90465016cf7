"""What several tests share: one small base, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_hf.testing import make_small_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a byte-level tokenizer and a chat template; do not change it."""
    return make_small_base(Path(tmp_path_factory.mktemp("preference")) / "base")
