"""One writer at a time, by a kernel lock that dies with its holder: there is never a stale lock to break."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import atomic

_held: dict[Path, int] = {}


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock at `path` while the block runs, waiting for it as long as it takes.

    `on_wait` is told once who has it.  Raises StoreError when the file cannot be opened, and RuntimeError when this
    process holds it already, which would wait for ever.
    """
    if path in _held:
        raise RuntimeError(f"this process holds {path} already")
    descriptor = atomic.open_lock(path)
    _held[path] = descriptor
    try:
        _acquire(descriptor, on_wait)
        atomic.write_holder(descriptor, f"{os.getpid()} {socket.gethostname()}\n")
        yield
    finally:
        del _held[path]
        os.close(descriptor)


def is_held_elsewhere(path: Path) -> bool:
    """Whether another live process holds the lock."""
    if path in _held:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, on_wait: Callable[[str], None]) -> None:
    # A reader that asks `is_held_elsewhere` has the lock for an instant, which nobody needs to hear of.
    for _ in range(5):
        if _try(descriptor, fcntl.LOCK_EX):
            return
        time.sleep(0.02)
    on_wait(f"waiting for {_holder(descriptor)} to finish with this document")
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    pid, _, host = os.pread(descriptor, 300, 0).decode("utf-8", "replace").strip().partition(" ")
    return f"process {pid} on {host}" if pid and host else "another process"


def _forget_in_child() -> None:
    # A forked child shares the lock and would keep it after its parent's death.
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
