"""Freed memory that a process keeps while it trains on a processor.

Each pass frees the same large blocks and asks for them again.  Left to itself the C library hands many of them back to
the system, which has to clear their pages anew every time.
"""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_LARGE = 1 << 30


def keep_freed() -> None:
    """Have glibc reuse freed blocks of up to a gigabyte; what the user has set up for it stays."""
    if (libc := _glibc()) is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TRIM_THRESHOLD, _LARGE)


def give_back() -> None:
    """Hand freed memory back to the system."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
