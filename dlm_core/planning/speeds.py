"""How fast this machine trained before, from the runs databases of this document and of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median_low

from ..api import Hardware, LocatedBase, Precision
from ..store import Runs
from .reality import Speed, machine_name

#: How many databases are opened, and how many runs of each are looked at.
_DATABASES = 8
_RUNS = 5


def find_speed(store: Path, hardware: Hardware, base: LocatedBase, precision: Precision) -> Speed | None:
    """What runs of this base and precision on this machine showed: those of this document, or else of the others.

    Of several it is the lower median: another program can make a run slower, nothing makes it faster.  None when there
    is none.  A database that cannot be read is passed over.
    """
    sought = (machine_name(hardware), base.sha256, precision.dtype)
    own, *others = _folders(store)
    for folders, owner in (([own], ""), (others, " of other documents")):
        found = [speed for folder in folders for speed in _speeds(folder, not owner) if _what(speed) == sought][:_RUNS]
        if found:
            where = found[0].where if len(found) == 1 else f"the last {len(found)} runs{owner}, their median"
            factor, outside = median_low(one.factor for one in found), median_low(one.outside for one in found)
            return replace(found[0], factor=factor, outside=outside, where=where)
    return None


def _what(speed: Speed) -> tuple[str, str, str]:
    return speed.machine, speed.base, speed.dtype


def _folders(store: Path) -> list[Path]:
    """This document's store first, then those in which something happened last."""
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
