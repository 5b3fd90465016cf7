"""What several tests share: a small base, made once, and a desk where gates are trained on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_core.testing import Desk
from dlm_gate import plugin
from dlm_hf import plugin as hf
from dlm_hf.testing import make_small_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers; do not change it."""
    return make_small_base(Path(tmp_path_factory.mktemp("gate")) / "base")


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    """A desk with the engine and this plugin."""
    dlm_desk.null = False
    return dlm_desk.use(hf, plugin)
