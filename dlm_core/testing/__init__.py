"""For people who write plugins: a desk, a null engine, and a suite that a plugin either passes or is told why not.

Nothing here is imported until it is used; the fixture `dlm_desk` comes with pytest's own plugin discovery.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .desk import Desk, Result
    from .light import assert_light
    from .suite import complaints, conformance

_HOME = {
    "Desk": "desk",
    "Result": "desk",
    "assert_light": "light",
    "complaints": "suite",
    "conformance": "suite",
}

__all__ = ["Desk", "Result", "assert_light", "complaints", "conformance"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
