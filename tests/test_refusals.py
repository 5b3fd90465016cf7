"""What cannot be trained here is refused before anything is fetched, with the setting that would help."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from typing import Any

import pytest

from dlm_core import preparing
from dlm_core.api import Hardware
from dlm_core.plugins.finder import find_plugins
from dlm_core.testing import Desk

pytestmark = pytest.mark.skipif(find_spec("dlm_hf") is None, reason="needs the engine")

GB = 1 << 30
SMALL = Hardware("cpu", "a small machine", 2, 5 * GB, 4 * GB, bf16=False)
BODY = "The harbour.\n\n::instruction::\n### Q\nHow deep is it?\n### A\nTwelve fathoms.\n"
PAIRS = "::preference::\n### Prompt\nWho?\n### Chosen\nOda.\n### Rejected\nNobody.\n"


@pytest.fixture
def asked() -> list[Any]:
    """What connections were asked for."""
    return []


@pytest.fixture
def desk(dlm_desk: Desk, monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> Desk:
    """Every plugin, a machine of 5 GB, and no connection to anywhere."""

    def refuse(*arguments: Any, **_names: Any) -> Any:
        asked.append(arguments)
        raise OSError("no connections in this test")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HOME", str(dlm_desk.folder / "hub"))
    monkeypatch.setattr(preparing, "read_hardware", lambda: SMALL)
    dlm_desk.null = False
    for found in find_plugins():
        dlm_desk.use(found.load())
    return dlm_desk


@pytest.mark.parametrize(
    ("base", "training", "body", "code", "words", "hint"),
    [
        ("llama-3.2-3b", "{}", BODY, "DLM0406", "needs 6.0 GiB for its weights", "training.adapter: qlora"),
        ("llama-3.2-3b", "{precision: fp32}", BODY, "DLM0406", "in fp32", "training.adapter: qlora"),
        ("llama-3.2-3b", "{adapter: dora}", PAIRS, "DLM0406", "a small machine has 5.0 GiB", "qlora"),
        ("smollm2-135m", "{precision: fp16}", BODY, "DLM0408", "fp16 cannot be trained here", ""),
        ("smollm2-135m", "{optimizer: galore_adamw, lora_r: 1}", BODY, "HF0001", "half of an adapter's rank", "lora_r"),
        ("smollm2-135m", "{adapters: {a: {}, b: {adapter: qlora}}}", BODY, "HF0002", "qlora cannot be mixed", ""),
    ],
)
@pytest.mark.parametrize("command", ["plan", "train", "run"])
def test_nothing_is_fetched_for_what_is_refused(
    desk: Desk,
    asked: list[Any],
    command: str,
    base: str,
    training: str,
    body: str,
    code: str,
    words: str,
    hint: str,
) -> None:
    path = desk.write(body, f"base_model: {base}\ntraining: {training}")
    refused = desk.dlm(command, path)
    assert refused.code != 0
    assert f"error[{code}]" in refused.err
    assert words in refused.err
    assert hint in refused.err
    assert asked == []
    assert not (desk.folder / "hub").exists()
    assert not list((desk.folder.parent / "home").glob("store/*/adapters/*"))


def test_without_a_refusal_the_base_would_be_asked_for(desk: Desk, asked: list[Any]) -> None:
    """Or the tests above would show nothing."""
    done = desk.dlm("run", desk.write(BODY, "base_model: smollm2-135m"))
    assert done.code != 0
    assert "huggingface.co" in str(asked)
