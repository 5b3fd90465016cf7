"""What several tests of this plugin share: one small base, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_hf.testing import make_small_base


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of two layers with a byte-level tokenizer and a chat template; do not change it."""
    return str(make_small_base(Path(tmp_path_factory.mktemp("hf")) / "base"))
