"""Calling a plugin's code at a distance: its prints, exits and interrupts do not reach the command."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class PluginStoppedError(RuntimeError):
    """A plugin tried to end the process."""


def guarded(call: Callable[[], T]) -> T:
    """What `call` returns.  What it prints goes to stderr, where no program reads a report.

    Raises PluginStoppedError when it calls `sys.exit` or raises KeyboardInterrupt of its own; a Ctrl-C of the user
    passes.
    """
    with redirect_stdout(sys.stderr), _interrupts() as pressed:
        try:
            return call()
        except SystemExit as error:
            raise PluginStoppedError(f"it called sys.exit({error.code!r})") from error
        except KeyboardInterrupt as error:
            if pressed():
                raise
            raise PluginStoppedError("it raised KeyboardInterrupt") from error


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether the user pressed Ctrl-C in this block; Python itself does not say who raised a KeyboardInterrupt."""
    count = 0
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if callable(before):
            before(number, frame)

    ours = callable(before) and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: count > 0
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
