"""A small base that hears, made once, and a folder with sounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import soundfile

from dlm_audio.testing import RATE, make_hearing_base, play
from dlm_core.testing import Desk

#: Four sounds: name -> what is heard.
SOUNDS: Mapping[str, str] = {
    "low": "a low hum",
    "high": "a shrill whistle",
    "rising": "a siren that rises",
    "noise": "rain on a roof",
}

#: Settings with which the small base learns four sounds in about a second.
QUICK = """
    lora_r: 16
    lora_alpha: 32
    lora_dropout: 0
    learning_rate: 5e-3
    num_epochs: 30
"""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_hearing_base(tmp_path_factory.mktemp("bases") / "hearing")


@pytest.fixture
def desk(dlm_desk: Desk, base: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with the engine, this plugin and the four sounds; documents are on the small base."""
    import dlm_audio.plugin
    import dlm_hf.plugin

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    dlm_desk.null = False
    for name in SOUNDS:
        soundfile.write(dlm_desk.folder / f"{name}.wav", play(name), RATE)
    (dlm_desk.folder / "base").symlink_to(base)
    return dlm_desk.use(dlm_hf.plugin, dlm_audio.plugin)


def sections() -> str:
    """The four sounds as sections."""
    return "".join(f'::audio path="{name}.wav" transcript="{said}"::\n\n' for name, said in SOUNDS.items())


def front(training: str = QUICK) -> str:
    return f"base_model: ./base\ntraining:{training}"
