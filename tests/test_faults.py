"""A whole `dlm run` under faults: at every call that changes the store it is killed, refused or loses its power.

Afterwards the old or the new version is whole, what was reported as done is done, and the next run needs no help.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlm_core import exporting, manifest, pipeline, preparing
from dlm_core.api import Control, DlmError, Hardware
from dlm_core.plugins import Plugins
from dlm_core.store import Store, atomic, open_store

from . import null_plugin
from .conftest import ID
from .store.faults import ERRORS, KILLED, Faults, Killed
from .store.samples import exit_code, files, forked, named

OK, REPORTED = 0, 3
PLUGINS = Plugins.load(group="no.such.group")
PLUGINS.register(null_plugin, "null")
EXPORTER = PLUGINS.exporters["adapter"]

#: Two of these strike at each call: the process ends, or the call is refused.
ENDS = ("kill", "power-names", "torn", "power-data", "kill-then-power")
REFUSALS = ("enospc", "eio", "enospc-sticky")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """What is slow and has nothing to do with the store: reading the machine and every package's version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "read_hardware", lambda: Hardware("cpu", "test", 1, 1 << 34, 1 << 34, bf16=False))
        patch.setattr(manifest, "library_versions", lambda plugins: {"dlm-core": "0"})
        yield


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Memory is faster than a disk, and the shim never asks for a real fsync anyway."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    (folder / "base").mkdir()
    yield folder
    shutil.rmtree(folder)


def write_document(place: Path, text: str) -> Path:
    path = place / "notes.dlm"
    body = f"{text}\n\n::instruction::\n### Q\nIs it so?\n### A\nyes\n"
    path.write_text(f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: ./base\n---\n{body}")
    return path


def dlm_run(home: Path, document: Path, note: Callable[[str], None] = lambda _: None, *, resume: bool = False) -> bool:
    """What `dlm run --export adapter` does, with a note after each part that it reports; whether it trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(home))
        outcome = pipeline.run(document, PLUGINS, preparing.Options(resume=resume), Control())
        note(f"committed {outcome.version.number}")
        if not exporting.is_exported(EXPORTER, {}, outcome.ready, outcome.version, PLUGINS):
            exporting.export_version(EXPORTER, {}, outcome.ready, outcome.store, outcome.version, PLUGINS, Control())
        note(f"exported {outcome.version.number}")
    return outcome.trained


def command(faults: Faults, document: Path) -> int:
    """One run under faults.  In `kill-then-power` it is killed, started again, and the power fails at its end."""
    atomic.os = faults  # type: ignore[assignment, attr-defined]
    try:
        dlm_run(faults.home, document, faults.note)
    except DlmError:
        return REPORTED
    except Killed:
        if faults.mode == "kill-then-power":
            faults.revive()
            return command(faults, document)
    finally:
        atomic.os = os  # type: ignore[attr-defined]
    if faults.models_disk:
        faults.cut_power()
        return KILLED
    faults.note(json.dumps(faults.trace))
    return OK


def struck(faults: Faults, document: Path) -> int:
    """Run under faults and return the exit code; only a real kill needs a process of its own."""
    if faults.mode in ("kill", "torn"):
        return exit_code(forked(lambda: command(faults, document)))
    try:
        return command(faults, document)
    finally:
        faults.release()


def fresh(place: Path, template: Path | None) -> tuple[Path, Path]:
    home, log = place / "home", place / "log"
    for path in (home, log.with_name("log.files")):
        shutil.rmtree(path, ignore_errors=True)
    log.write_text("")
    if template:
        shutil.copytree(template, home)
    else:
        home.mkdir()
    return home, log


def modes_for(at: int, call: str) -> list[str]:
    """One way to end and one way to be refused; only a write can be torn."""
    end = ENDS[at % len(ENDS)]
    return ["kill" if end == "torn" and call != "write" else end, REFUSALS[at % len(REFUSALS)]]


@pytest.mark.parametrize("before", [0, 1])
def test_every_call_of_a_whole_run(place: Path, before: int) -> None:
    """`before` versions are there already, the second run follows an edit."""
    template = place / "template" if before else None
    if template:
        with shim(template):
            dlm_run(template, write_document(place, "The rock is red."))
    document = write_document(place, "The rock is black.")

    home, log = fresh(place, template)
    faults = Faults(home, log)
    assert struck(faults, document) == OK
    trace = faults.trace
    assert len(trace) >= {0: 80, 1: 60}[before], "the shim sees what it used to see"
    assert any("reports/" in path for _, path in trace), "faults while the report is written are among them"
    for at, (call, path) in enumerate(trace, 1):
        for mode in modes_for(at, call):
            home, log = fresh(place, template)
            code = struck(Faults(home, log, mode, at), document)
            notes = log.read_text().splitlines()
            try:
                judge(home, document, before, mode, code, notes)
            except BaseException as error:
                error.add_note(f"{mode} at call {at}: {call} {path}, exit code {code}, {notes}")
                raise


class shim:  # noqa: N801
    """Spare the test itself the waiting for real fsyncs."""

    def __init__(self, home: Path) -> None:
        self.faults = Faults(home, home / "unused")

    def __enter__(self) -> None:
        self.faults.home.mkdir(parents=True, exist_ok=True)
        atomic.os = self.faults  # type: ignore[assignment, attr-defined]

    def __exit__(self, *error: object) -> None:
        atomic.os = os  # type: ignore[attr-defined]


def judge(home: Path, document: Path, before: int, mode: str, code: int, notes: list[str]) -> None:
    assert code in ((OK, REPORTED) if mode in ERRORS else (KILLED,))
    store = open_store(ID, home)
    current = store.current()
    number = current.number if current else 0
    assert number in (before, before + 1), "the old version or the new one"
    assert store.check() == []
    if f"committed {before + 1}" in notes or code == OK:
        assert number == before + 1, "what was reported as done is gone"
    if f"exported {before + 1}" in notes or code == OK:
        assert has_export(store, before + 1)
    if before:
        assert has_export(store, 1), "an older version's export was touched"
    the_next_run_works(store, home, document, before, number)


def has_export(store: Store, number: int) -> bool:
    folder = store.version(number).exports.get("adapter")
    return folder is not None and (folder / "adapter_model.safetensors").stat().st_size > 50


def the_next_run_works(store: Store, home: Path, document: Path, before: int, number: int) -> None:
    resumable = store.interrupted() is not None
    with shim(home):
        trained = dlm_run(home, document, resume=resumable)
        assert trained == (number == before), "trained exactly when it had not been"
        assert not dlm_run(home, document), "and then nothing is left to do"
        with store.writing():
            pass
    assert [version.number for version in store.versions()] == list(range(1, before + 2))
    assert has_export(store, before + 1)
    assert store.check() == []
    assert files(store) == named(store), "something was left over"
