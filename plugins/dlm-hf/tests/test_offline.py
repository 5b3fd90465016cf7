"""Nothing reaches for the network while the base is here, and its absence is noticed at once."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from dlm_core.api import BaseMissingError, BaseModel, Message, Precision, Sampling, Span, text_row
from dlm_hf import imports
from dlm_hf.bases import fetch
from dlm_hf.engine import HfEngine
from dlm_hf.loading import forget_models

ENGINE = HfEngine()
FP32 = Precision("fp32", "none", "a test")


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **_: Any) -> None:
        raise AssertionError(f"a socket was opened: {args}")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.mark.usefixtures("no_sockets")
def test_a_local_base_needs_no_socket(base_folder: str) -> None:
    forget_models()
    base = ENGINE.locate(BaseModel("x", base_folder), fetch=True)
    row = text_row("The harbour lies under a hill.", Span(1))
    assert ENGINE.measure(base, [row], None, 64)[0].labelled > 0
    with ENGINE.open(base, None, FP32, None) as model:
        answers = list(model.generate([[Message.of("user", "Who?")]], Sampling(max_tokens=4), None))
        assert len(answers) == 1
        assert next(iter(model.score([row], None))).tokens > 0


def test_no_network_is_one_error_within_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refused(*args: Any) -> None:
        tried.append(args)
        raise OSError("no route")

    monkeypatch.setattr(imports, "USER_OFFLINE", False)
    monkeypatch.setattr(socket, "create_connection", refused)
    start = time.monotonic()
    with pytest.raises(BaseMissingError, match="cannot be reached") as caught:
        ENGINE.locate(BaseModel("x", "hub:nobody/nothing"), fetch=True)
    assert time.monotonic() - start < fetch._SECONDS
    assert len(tried) == 1
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_name_server_that_hangs_does_not_hang_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any) -> None:
        time.sleep(1)
        raise OSError("no answer")

    monkeypatch.setattr(socket, "create_connection", hang)
    start = time.monotonic()
    assert not fetch.reachable(0.1)
    assert time.monotonic() - start < 0.9


def test_a_user_who_said_offline_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "USER_OFFLINE", True)
    monkeypatch.setattr(fetch, "reachable", lambda: pytest.fail("asked the network"))
    with pytest.raises(BaseMissingError, match="HF_HUB_OFFLINE"):
        fetch.download("nobody/nothing", "main")


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, ("huggingface.co", 443)),
        ({"HF_ENDPOINT": "http://mirror.example:8080"}, ("mirror.example", 8080)),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, ("proxy.example", 3128)),
        ({"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": "huggingface.co"}, ("huggingface.co", 443)),
    ],
)
def test_the_address_that_is_tried(
    variables: dict[str, str], address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_ENDPOINT", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert fetch._address() == address


@pytest.mark.parametrize(("code", "words"), [("GatedRepo", "gated"), ("RepoNotFound", "no such")])
def test_what_the_hub_refuses_becomes_a_hint(code: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    kind = GatedRepoError if code == "GatedRepo" else RepositoryNotFoundError

    def refuse(*_: Any, **__: Any) -> None:
        raise kind.__new__(kind)

    monkeypatch.setattr(imports, "USER_OFFLINE", False)
    monkeypatch.setattr(fetch, "reachable", lambda: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(BaseMissingError, match=words) as caught:
        fetch.download("org/name", "main")
    if code == "GatedRepo":
        assert "HF_TOKEN" in str(caught.value.hint)
