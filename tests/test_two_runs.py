"""Two runs of one document at once: one waits, and then does what is left to do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlm_core import pipeline, preparing
from dlm_core.api import Control
from dlm_core.plugins import Plugins
from dlm_core.store import open_store

from . import null_plugin
from .conftest import ID
from .store.samples import exit_code, files, forked, named

PLUGINS = Plugins.load(group="no.such.group")
PLUGINS.register(null_plugin, "null")
TRAINED, UNCHANGED = 0, 7


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    (tmp_path / "base").mkdir()
    yield tmp_path
    null_plugin.after_checkpoint.clear()


def write(desk: Path, text: str) -> Path:
    path = desk / "notes.dlm"
    path.write_text(f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: ./base\n---\n{text}\n")
    return path


def start(document: Path, on_wait: Callable[[str], None] = lambda _: None, *, force: bool = False) -> int:
    """A `dlm run` in a process of its own; its exit code says whether it trained.  Returns its pid."""

    def work() -> int:
        outcome = pipeline.run(document, PLUGINS, preparing.Options(force=force, on_wait=on_wait), Control())
        return TRAINED if outcome.trained else UNCHANGED

    return forked(work)


def start_slow(desk: Path, document: Path) -> int:
    """A run that stays in the middle of training until the file `go` is there.  Returns once it is there."""

    def wait(_job: object) -> None:
        (desk / "training").touch()
        wait_for(desk / "go")

    null_plugin.after_checkpoint.append(wait)
    pid = start(document)
    null_plugin.after_checkpoint.clear()
    wait_for(desk / "training")
    return pid


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.005)


def second(desk: Path, document: Path, *, force: bool = False) -> int:
    """A run that finds the first at work and, once it says that it waits, lets the first go on.  Its pid."""

    def on_wait(message: str) -> None:
        (desk / "waiting").write_text(message)

    pid = start(document, on_wait, force=force)
    wait_for(desk / "waiting")
    return pid


def test_the_same_document_is_trained_once(desk: Path) -> None:
    document = write(desk, "The rock is black.")
    first = start_slow(desk, document)
    other = second(desk, document)
    (desk / "go").touch()
    assert (exit_code(first), exit_code(other)) == (TRAINED, UNCHANGED)
    assert (desk / "waiting").read_text().startswith(f"waiting for process {first} on ")
    store = open_store(ID)
    assert [version.number for version in store.versions()] == [1]
    assert [row["state"] for row in store.runs.list()] == ["committed"]
    assert store.check() == []


@pytest.mark.parametrize("force", [False, True])
def test_an_edited_document_is_trained_after_the_other(desk: Path, force: bool) -> None:
    document = write(desk, "The rock is black.")
    first = start_slow(desk, document)
    document = document if force else write(desk, "The rock is red.")
    other = second(desk, document, force=force)
    (desk / "go").touch()
    assert (exit_code(first), exit_code(other)) == (TRAINED, TRAINED)
    store = open_store(ID)
    assert [(version.number, version.run) for version in store.versions()] == [(1, 1), (2, 2)]
    assert store.check() == []
    with store.writing():
        pass
    assert files(store) == named(store)


def test_whoever_waits_goes_on_when_the_other_is_killed(desk: Path) -> None:
    document = write(desk, "The rock is black.")
    first = start_slow(desk, document)
    other = second(desk, document)
    os.kill(first, signal.SIGKILL)
    assert (exit_code(first), exit_code(other)) == (-signal.SIGKILL, TRAINED)
    store = open_store(ID)
    assert [version.number for version in store.versions()] == [1]
    assert [row["state"] for row in store.runs.list()] == ["killed", "committed"]
    assert store.check() == []
