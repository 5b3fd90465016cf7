"""CPU time of commands that only look, against bare Python in the same run: `python benchmarks/start_up.py`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DLM = [sys.executable, "-m", "dlm_core.cli"]
DOCUMENT = """---
dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC
base_model: tiny
---
Some prose to look at.
"""


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one process, as the operating system counts it."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLM_HOME"] = folder
        document = Path(folder) / "notes.dlm"
        document.write_text(DOCUMENT)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import click'": [sys.executable, "-c", "import click"],
            "dlm --version": [*DLM, "--version"],
            "dlm --help": [*DLM, "--help"],
            "dlm run --help": [*DLM, "run", "--help"],
            "dlm check notes.dlm": [*DLM, "check", str(document)],
            "dlm show notes.dlm": [*DLM, "show", str(document)],
            "dlm plan notes.dlm": [*DLM, "plan", str(document)],
            "dlm doctor": [*DLM, "doctor"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(runs + 1):
            for name, command in commands.items():
                seconds = cpu_seconds(command)
                if turn:  # the first round warms caches
                    times[name].append(seconds)
    floor = times["python -c pass"]
    print(f"{'command':<26} {'CPU ms':>7} {'× bare python':>14}   ({runs} runs in turn, medians)")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, floor, strict=True))
        print(f"{name:<26} {statistics.median(seconds) * 1000:7.0f} {ratio:14.1f}")


if __name__ == "__main__":
    main()
