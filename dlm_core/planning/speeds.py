"""How fast this machine trained before, from the runs databases of this document and of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..api import Hardware, LocatedBase, Precision
from ..store import Runs
from .reality import Speed, machine_name

#: How many databases are opened, and how many runs of each are looked at.
_DATABASES = 8
_RUNS = 5


def find_speed(store: Path, hardware: Hardware, base: LocatedBase, precision: Precision) -> Speed | None:
    """What the newest run of this base and precision on this machine showed, first of this document, then of others.

    None when there is none.  A database that cannot be read is passed over.
    """
    machine = machine_name(hardware)
    for folder in _folders(store):
        for speed in _speeds(folder, own=folder == store):
            if (speed.machine, speed.base, speed.dtype) == (machine, base.sha256, precision.dtype):
                return speed
    return None


def _folders(store: Path) -> list[Path]:
    """This document's store, then those in which something happened last."""
    ages: list[tuple[float, Path]] = []
    for path in store.parent.glob("*/runs.sqlite"):
        try:
            ages.append((path.stat().st_mtime, path.parent))
        except OSError:
            continue
    others = [folder for _, folder in sorted(ages, reverse=True) if folder != store]
    return [store, *others[:_DATABASES]]


def _speeds(folder: Path, own: bool) -> Iterator[Speed]:
    for run in Runs(folder / "runs.sqlite").described(_RUNS):
        found = run.get("speed")
        try:
            where = f"run {run['id']}" if own else f"run {run['id']} of {Path(run['path']).name}"
            if isinstance(found, dict):
                yield Speed(**{**found, "where": where})
        except (TypeError, KeyError):
            continue
