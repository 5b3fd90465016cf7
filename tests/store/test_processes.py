"""Several processes, killed processes, and disks that are full or read-only."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlm_core.store import Store, StoreError, accept, is_accepted, lock, open_store

from .samples import ID, exit_code, files, forked, named, train

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(("processes", "runs"), [(2, 5), (8, 3)])
def test_writers_lose_nothing(home: Path, processes: int, runs: int) -> None:
    def work(number: int) -> int:
        for run in range(runs):
            with open_store(ID, home).writing() as writer:
                train(writer, float(number), float(run))
        return 0

    children = [forked(lambda number=number: work(number)) for number in range(processes)]  # type: ignore[misc]
    assert [exit_code(child) for child in children] == [0] * processes
    store = open_store(ID, home)
    versions = store.versions()
    assert [v.number for v in versions] == list(range(1, processes * runs + 1))
    assert len({v.run for v in versions}) == len({v.sha256 for v in versions}) == processes * runs
    assert [row["state"] for row in store.runs.list()] == ["committed"] * (processes * runs)
    assert store.check() == []
    with store.writing() as writer:
        writer.collect()
    assert files(store) == named(store)


def test_a_reader_never_sees_half_a_commit(home: Path) -> None:
    def write() -> int:
        for value in range(40):
            with open_store(ID, home).writing() as writer:
                train(writer, float(value))
                writer.collect()
        return 0

    child, seen, reads = forked(write), 0, 0
    store = open_store(ID, home)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        version = store.current()
        if version is not None:
            assert version.number >= seen
            assert version.manifest["version"] == version.number
            assert (version.adapter / "default" / "adapter_model.safetensors").is_file()
            seen, reads = version.number, reads + 1
            store.interrupted()
    assert reads > 40
    assert [v.number for v in store.versions()] == list(range(1, 41))


def test_a_killed_holder_is_no_obstacle(home: Path) -> None:
    def hold() -> int:
        with open_store(ID, home).writing() as writer:
            run = writer.begin({"attempt": 1})
            (run.work / "state.json").write_text("{}")
            (home / "ready").touch()
            time.sleep(60)
        return 0

    for _ in range(5):
        (home / "ready").unlink(missing_ok=True)
        child = forked(hold)
        while not (home / "ready").exists():
            time.sleep(0.005)
        assert open_store(ID, home).interrupted() is None, "a living run is not an interrupted one"
        os.kill(child, signal.SIGKILL)
        assert exit_code(child) == -signal.SIGKILL
        store, waited = open_store(ID, home), []
        with store.writing(waited.append):
            found = store.interrupted()
            assert found is not None
        assert waited == []
        assert (store.runs.last() or {})["state"] == "killed"


def test_waiting_names_the_holder(home: Path) -> None:
    (home / "go").touch()

    def hold() -> int:
        with open_store(ID, home).writing():
            (home / "ready").touch()
            while (home / "go").exists():
                time.sleep(0.005)
        return 0

    child = forked(hold)
    while not (home / "ready").exists():
        time.sleep(0.005)
    messages: list[str] = []

    def on_wait(message: str) -> None:
        messages.append(message)
        (home / "go").unlink()

    with open_store(ID, home).writing(on_wait):
        pass
    assert exit_code(child) == 0
    assert messages == [f"waiting for process {child} on {os.uname().nodename} to finish with this document"]


@pytest.mark.parametrize("content", ["", "1 localhost\n", "999999 elsewhere\n", "\0\xff" * 400])
def test_what_the_lock_file_says_does_not_matter(home: Path, content: str) -> None:
    store = open_store(ID, home)
    store.root.mkdir(parents=True)
    (store.root / "lock").write_text(content)
    waited: list[str] = []
    with store.writing(waited.append) as writer:
        train(writer, 1.0)
    assert waited == []


def test_a_forked_child_does_not_keep_the_lock(home: Path) -> None:
    def parent() -> int:
        with lock.hold(home / "lock"):
            forked(lambda: time.sleep(20) or 0)
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert exit_code(forked(parent)) == -signal.SIGKILL
    waited: list[str] = []
    with lock.hold(home / "lock", waited.append):
        assert waited == []


def test_holding_twice_is_an_error_and_not_a_deadlock(home: Path) -> None:
    store = open_store(ID, home)
    with store.writing(), pytest.raises(RuntimeError, match="holds"), store.writing():
        pass
    with store.writing() as writer:
        train(writer, 1.0)


def test_two_processes_accept_licences(home: Path) -> None:
    def work(name: str) -> int:
        for number in range(10):
            accept(f"{name}{number}", "l", home)
        return 0

    children = [forked(lambda name=name: work(name)) for name in "ab"]  # type: ignore[misc]
    assert [exit_code(child) for child in children] == [0, 0]
    assert all(is_accepted(f"{name}{number}", "l", home) for name in "ab" for number in range(10))


def refused(store: Store, *values: float) -> str:
    """The message of the error that training ends with."""
    with pytest.raises(StoreError) as caught, store.writing() as writer:
        train(writer, *values)
    assert caught.value.hint
    return caught.value.message


@needs_root
def test_a_store_that_may_not_be_written(home: Path) -> None:
    store = open_store(ID, home)
    with store.writing() as writer:
        train(writer, 1.0)
    store.runs.path.chmod(0o644)

    def as_somebody() -> int:
        os.setgid(65534)
        os.setuid(65534)
        assert "permission denied" in refused(store, 2.0)
        assert "permission denied" in refused(open_store("Z" * 26, home), 2.0)
        current = store.current()
        assert current is not None
        assert current.number == current.manifest["version"] == 1
        assert store.check() == []
        assert [row["state"] for row in store.runs.list()] == ["committed"]
        assert store.interrupted() is None
        return 0

    assert exit_code(forked(as_somebody)) == 0


def test_a_file_size_limit(home: Path) -> None:
    store = open_store(ID, home)
    with store.writing() as writer:
        train(writer, 1.0)

    def limited() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        with pytest.raises(StoreError, match="file too large") as caught, store.writing() as writer:
            writer.begin({"text": "x" * 500})
        assert "ulimit" in (caught.value.hint or "")
        return 0

    assert exit_code(forked(limited)) == 0
    assert store.current() == store.version(1)
    with store.writing() as writer:
        assert train(writer, 2.0).number == 2


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        store = open_store(ID, small)
        with store.writing() as writer:
            first = train(writer, 1.0)
        for spare in range(0, 60_000, 4096):
            free = os.statvfs(small)
            (small / "filler").write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - spare))
            message = try_to_train(store)
            current = store.current()
            assert current is not None
            assert store.check() == []
            if message is not None:
                assert "no space left" in message
                assert current.number == first.number
            (small / "filler").unlink()
            with store.writing() as writer:
                writer.rollback(1)
                writer.collect()
        with store.writing() as writer:
            train(writer, 5.0)
        assert store.check() == []
    finally:
        subprocess.run(["umount", small], check=True)


def try_to_train(store: Store) -> str | None:
    """Train on a disk with little room; the error's message, or None when there was room enough."""
    try:
        with store.writing() as writer:
            train(writer, 4.0)
    except StoreError as error:
        return error.message
    except OSError as error:  # The trainer itself, which is not the store's, ran out of space.
        return str(error).lower()
    return None
