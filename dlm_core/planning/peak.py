"""The most memory that this process held, as the system counts it.  Sizes are in bytes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Let the system count from now on, where it can.

    Linux forgets a process's high-water mark on request (`clear_refs`, value 5, proc(5)).  Where nothing does, the mark
    stays that of the process since its start: the same, unless something larger ran before.
    """
    try:
        _RESET.write_text("5", encoding="ascii")
    except OSError:
        return


def peak_memory() -> int | None:
    """The most resident memory of this process since `forget_peak`; None where the system does not say.

    Mapped files count as far as they were read.
    """
    return _high_water() or _largest_ever()


def _high_water() -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def _largest_ever() -> int | None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) or None
