"""What several tests share: small bases, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_hf.testing import make_small_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers whose head shares the embeddings; do not change it."""
    return make_small_base(Path(tmp_path_factory.mktemp("cpt")) / "base")


@pytest.fixture(scope="session")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a head of its own."""
    return make_small_base(Path(tmp_path_factory.mktemp("cpt")) / "base", tied=False)
