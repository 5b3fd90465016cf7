"""Read this machine from the system: cores, memory, accelerator.  No torch, at most one short subprocess."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..api import Hardware


def read_hardware() -> Hardware:
    """The accelerator that training would use, or the processor; memory is the accelerator's own where it has one."""
    return _nvidia() or _apple() or _processor()


def _nvidia() -> Hardware | None:
    query = "--query-gpu=index,uuid,name,memory.total,memory.free,compute_cap"
    if shutil.which("nvidia-smi") is None or not _torch_has_cuda():
        return None
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    rows = [line.split(", ") for line in done.stdout.splitlines() if line.count(", ") == 5]
    visible = _visible(rows, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if done.returncode or not visible:
        return None
    _, _, name, total, free, capability = visible[0]
    major = capability.partition(".")[0]
    ampere_or_later = major.isdigit() and int(major) >= 8
    memory, available = _memory()
    # A chip that shares the processor's memory has no number of its own.
    return Hardware(
        "cuda", name, _cores(), _bytes(total) or memory, _bytes(free) or available, ampere_or_later, len(visible)
    )


def _visible(rows: list[list[str]], chosen: str | None) -> list[list[str]]:
    """The GPUs that a program sees, first the one it uses: CUDA reads its list up to the first entry that is none."""
    if chosen is None:
        return rows
    found = []
    for entry in chosen.split(","):
        entry = entry.strip()
        if entry.startswith("MIG-"):
            # A slice of a GPU: which one cannot be told from here, and its memory is less than the GPU's.
            return rows[:1]
        match = [row for row in rows if entry in (row[0], row[1]) or (entry[:4] == "GPU-" and row[1].startswith(entry))]
        if len(match) != 1 or match[0] in found:
            break
        found += match
    return found


def _bytes(mebibytes: str) -> int:
    return int(mebibytes) << 20 if mebibytes.isdigit() else 0


def _torch_has_cuda() -> bool:
    """False when the installed torch was built for processors alone, so that no GPU here is of use.

    Core knows torch by name only here, and reads no more than the version of its distribution: without this the plan
    would be made for a GPU that training then cannot reach.
    """
    try:
        return not version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return True


def _apple() -> Hardware | None:
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Hardware("mps", "Apple silicon", _cores(), memory, memory // 2, bf16=False)


def _processor() -> Hardware:
    total, free = _memory()
    name, flags = _cpu_info()
    return Hardware("cpu", name, _cores(), total, free, bf16=bool({"avx512_bf16", "amx_bf16"} & flags))


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _memory() -> tuple[int, int]:
    """Total and available bytes, the container's limit included."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        total, free = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError, ValueError):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        free = total // 2
    limit = _container_limit()
    return (min(total, limit), min(free, limit)) if limit else (total, free)


def _container_limit() -> int | None:
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None


def _cpu_info() -> tuple[str, frozenset[str]]:
    name, flags = platform.processor() or platform.machine(), frozenset[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return name, flags
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() == "flags":
            return name, frozenset(value.split())
    return name, flags
