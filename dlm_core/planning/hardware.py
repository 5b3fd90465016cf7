"""Read this machine from the system: cores, memory, accelerator.  No torch, at most one short subprocess."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from ..api import Hardware


def read_hardware() -> Hardware:
    """The accelerator that training would use, or the processor; memory is the accelerator's own where it has one."""
    return _nvidia() or _apple() or _processor()


def read_processor() -> Hardware:
    """The processor and main memory, whatever accelerators there are."""
    return _processor()


def _nvidia() -> Hardware | None:
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "" or shutil.which("nvidia-smi") is None:
        return None
    query = "--query-gpu=name,memory.total,memory.free,compute_cap"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    rows = [line.split(", ") for line in done.stdout.splitlines() if line.count(", ") == 3]
    if done.returncode or not rows:
        return None
    name, total, free, capability = rows[0]
    mebi = 1 << 20
    ampere_or_later = float(capability) >= 8.0
    return Hardware("cuda", name, _cores(), int(total) * mebi, int(free) * mebi, ampere_or_later, len(rows))


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
