"""The pytest plugin: one fixture.  Loaded by every pytest run of the environment, so it imports nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .desk import Desk


@pytest.fixture
def dlm_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A folder and a home of its own, where `dlm` sees core, the null engine and the plugins it is told of."""
    import os

    from .desk import Desk

    for name in [name for name in os.environ if name.startswith("DLM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder)
