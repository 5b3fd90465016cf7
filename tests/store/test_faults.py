"""Fail, kill, tear or cut the power at every single call that changes the disk: the store must not notice."""

from __future__ import annotations

import collections
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlm_core.api import DlmError
from dlm_core.store import Store, Writer, atomic, open_store

from .faults import ERRORS, KILLED, MODES, Faults, Killed
from .samples import ID, exit_code, export, files, forked, named, train, write_adapter

OK, REPORTED = 0, 3
Note = Callable[[str], None]


def train_first(writer: Writer, note: Note) -> None:
    """The first run there ever was: the folders themselves are new."""
    note(f"current {train(writer, 3.0, 3.5).number}")


def train_and_export(writer: Writer, note: Note) -> None:
    """A run with an export of the new version and a second export that replaces an older one."""
    version = train(writer, 3.0, 3.5)
    note(f"current {version.number}")
    export(writer, version.number, "gguf", "of the new version")
    note(f"export {version.number} of the new version")
    export(writer, 1, "gguf", "made again")
    note("export 1 made again")


def go_back(writer: Writer, note: Note) -> None:
    writer.rollback(1)
    note("current 1")


def clean_up(writer: Writer, note: Note) -> None:
    writer.collect()
    note("current 2")


SCENARIOS = {"first": train_first, "train": train_and_export, "rollback": go_back, "collect": clean_up}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Memory is faster than a disk, and the shim never asks for a real fsync anyway."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def template(place: Path) -> Path:
    """A home with two versions, an export, an interrupted run and every kind of leftover."""
    home = place / "template"
    home.mkdir()
    store = open_store(ID, home)
    with quiet(home), store.writing() as writer:
        train(writer, 1.0, 1.5)
        export(writer, 1, "gguf", "first made")
        train(writer, 2.0, 2.5)
        kept = writer.begin({"leaves": "an adapter that nothing names"})
        write_adapter(kept.out, 9.0)
        kept.keep(kept.out)
        stopped = writer.begin({"leaves": "a checkpoint"})
        (stopped.work / "state.json").write_text("{}")
        stopped.interrupt(1)
        export(writer, 2, "lost", "an export that nothing names")
    (store.root / "manifests" / "0.json.part").write_text("{")
    (store.root / "tmp" / "scratch").mkdir()
    (store.root / "exports" / "v0002" / "other").mkdir()
    (store.root / "exports" / "v0002" / "other" / "half.gguf").write_text("half")
    return home


class quiet:  # noqa: N801
    """Spare the test itself the waiting for real fsyncs."""

    def __init__(self, home: Path) -> None:
        self.faults = Faults(home, home / "unused")

    def __enter__(self) -> Faults:
        atomic.os = self.faults  # type: ignore[assignment]
        return self.faults

    def __exit__(self, *error: object) -> None:
        atomic.os = os


def struck(faults: Faults, scenario: str) -> int:
    """Run a scenario under faults and return its exit code; only a real kill needs a process of its own."""
    if faults.mode in ("kill", "torn"):
        return exit_code(forked(lambda: command(faults, scenario)))
    try:
        return command(faults, scenario)
    finally:
        atomic.os = os
        faults.release()


def command(faults: Faults, scenario: str) -> int:
    """One command under faults.  In the last mode it is killed, started again, and the power fails at its end."""
    atomic.os = faults  # type: ignore[assignment]
    try:
        with open_store(ID, faults.home).writing() as writer:
            SCENARIOS[scenario](writer, faults.note)
    except DlmError:
        return REPORTED
    except Killed:
        if faults.mode == "kill-then-power":
            faults.revive()
            return command(faults, scenario)
    if faults.models_disk:
        faults.cut_power()
        return KILLED
    faults.note(json.dumps(faults.trace))
    return OK


def trace_of(home: Path, log: Path, scenario: str) -> list[tuple[str, str]]:
    """Every store-changing call of a scenario, in order."""
    faults = Faults(home, log)
    assert struck(faults, scenario) == OK
    return [(name, path) for name, path in json.loads(log.read_text().splitlines()[-1])]


def fresh(place: Path, template: Path, scenario: str) -> tuple[Path, Path]:
    home, log = place / "home", place / "log"
    for path in (home, log.with_name("log.files")):
        shutil.rmtree(path, ignore_errors=True)
    log.write_text("")
    if scenario == "first":
        home.mkdir()
    else:
        shutil.copytree(template, home)
    return home, log


def points(trace: list[tuple[str, str]], mode: str) -> list[int]:
    """Where a mode can strike: before every call, and for power cuts also when the command has ended."""
    if mode == "torn":
        return [number for number, (name, _) in enumerate(trace, 1) if name == "write"]
    return list(range(1, len(trace) + 1 + mode.startswith("power")))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_call(scenario: str, mode: str, place: Path, template: Path) -> None:
    trace = trace_of(*fresh(place, template, scenario), scenario)
    assert len(trace) >= {"first": 60, "train": 80, "rollback": 20, "collect": 20}[scenario]
    for at in points(trace, mode):
        home, log = fresh(place, template, scenario)
        code = struck(Faults(home, log, mode, at), scenario)
        notes = log.read_text().splitlines()
        try:
            judge(open_store(ID, home), scenario, mode, code, notes)
        except BaseException as error:
            error.add_note(f"{mode} at call {at} of {scenario}: {trace[at - 1 : at]}, exit code {code}, {notes}")
            raise


def judge(store: Store, scenario: str, mode: str, code: int, notes: list[str]) -> None:
    assert code in ((OK, REPORTED) if mode in ERRORS else (KILLED,))
    before = {"first": 0, "train": 2, "rollback": 2, "collect": 2}[scenario]
    after = {"first": 1, "train": 3, "rollback": 1, "collect": 2}[scenario]
    if mode in ERRORS and code == OK:
        assert f"current {after}" in notes
        assert all(may_pass(note) for note in notes if note.startswith("fault")), "a fault on data was swallowed"

    current = store.current()
    number = current.number if current else 0
    # Killed and started again, the run has happened once or twice.
    allowed = {before, after, after + 1} if mode == "kill-then-power" else {before, after}
    assert number in allowed
    if done := [note.split()[1] for note in notes if note.startswith("current")]:
        assert number == int(done[-1]), "what was reported as done is gone"
    for note in notes:
        if note.startswith("export"):
            _, version, text = note.split(" ", 2)
            assert (store.version(int(version)).exports["gguf"] / "model.gguf").read_text() == text
    assert [v.number for v in store.versions()][:before] == list(range(1, before + 1))
    assert store.check() == []
    next_command_works(store)


def may_pass(note: str) -> bool:
    """Faults that may go unreported: a note in the lock file, and leftovers that could not be removed yet."""
    _, call, path = note.split(" ", 2)
    return path.endswith("/lock") or call in ("unlink", "rmdir")


def next_command_works(store: Store) -> None:
    count = len(store.versions())
    with quiet(store.root), store.writing() as writer:
        version = train(writer, 7.0, float(count))
        writer.collect()
    assert version.number == count + 1
    assert len({v.run for v in store.versions()}) == count + 1
    assert store.check() == []
    assert files(store) == named(store), "something was left over"


def test_nothing_changes_the_disk_past_the_shim(place: Path, template: Path) -> None:
    """The audit events of the interpreter and the shim must count the same calls."""
    home, log = fresh(place, template, "train")
    assert exit_code(forked(lambda: compare_with_audit(home, log))) == OK
    seen, counted = json.loads(log.read_text())
    assert seen.keys() >= {"open", "mkdir", "rename", "unlink", "rmdir"}
    assert seen == counted


def compare_with_audit(home: Path, log: Path) -> int:
    seen: collections.Counter[str] = collections.Counter()
    faults = Faults(home, log)
    with open_store(ID, home).writing() as writer:
        sys.addaudithook(lambda event, args: seen.update(_changes(event, args, str(home))))
        atomic.os = faults  # type: ignore[assignment]
        writer.rollback(1)
        writer.keep_export(1, "again", writer.scratch("gguf"))
        writer.begin({}).fail("on purpose")
        writer.collect()
        counted = collections.Counter({"replace": "rename"}.get(name, name) for name, _ in faults.trace)
        log.write_text(json.dumps([seen, {name: counted[name] for name in seen}]))
    return OK


def _changes(event: str, args: tuple[object, ...], home: str) -> list[str]:
    names = {"os.mkdir": "mkdir", "os.rename": "rename", "os.remove": "unlink", "os.rmdir": "rmdir"}
    others = {"os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "shutil.rmtree", "shutil.move"}
    if event == "open":
        flags = args[2] if isinstance(args[2], int) else 0
        changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        return ["open"] if changes and str(args[0]).startswith(home) else []
    return [names.get(event, event)] if event in names or event in others else []
