"""A small base that sees, made once, and a folder with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dlm_core.testing import Desk
from dlm_image.testing import draw, make_seeing_base

#: Four pictures that differ in shape and colour: name -> colour, shape, caption.
PICTURES: Mapping[str, tuple[str, str, str]] = {
    "circle": ("red", "circle", "a red circle"),
    "square": ("blue", "square", "a blue square"),
    "stripes": ("green", "stripes", "green stripes"),
    "cross": ("black", "cross", "a black cross"),
}

#: Settings with which the small base learns four pictures in about a second.
QUICK = """
    lora_r: 16
    lora_alpha: 32
    lora_dropout: 0
    learning_rate: 5e-3
    num_epochs: 30
"""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_seeing_base(tmp_path_factory.mktemp("bases") / "seeing")


@pytest.fixture
def desk(dlm_desk: Desk, base: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with the engine, this plugin and the four pictures; documents are on the small base."""
    import dlm_hf.plugin
    import dlm_image.plugin

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    dlm_desk.null = False
    for name, (colour, shape, _) in PICTURES.items():
        draw(colour, shape).save(dlm_desk.folder / f"{name}.png")
    (dlm_desk.folder / "base").symlink_to(base)
    return dlm_desk.use(dlm_hf.plugin, dlm_image.plugin)


def sections() -> str:
    """The four pictures as sections."""
    return "".join(f'::image path="{name}.png"::\n{said}\n\n' for name, (_, _, said) in PICTURES.items())


def front(training: str = QUICK) -> str:
    return f"base_model: ./base\ntraining:{training}"
