"""CPU time of every command that only looks, against bare Python, with 0, 8 and 30 further plugins installed.

`python benchmarks/start_up.py`: whole processes, user and system time as the operating system counts it, taken in turn.
The plugins are made on the spot: every second one adds a section type, the others a configuration block.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from dlm_core.plugins import Plugins

DLM = [sys.executable, "-m", "dlm_core.cli"]
DOCUMENT = """---
dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC
base_model: tiny
---
Some prose to look at.

::instruction::
### Q
Who built it?
### A
Ilse Korn.
"""
SECTION_PLUGIN = """
from dlm_core import hookimpl
from dlm_core.api import SectionType, text_row

class Note(SectionType):
    name = "{name}"
    def rows(self, section, doc):
        yield text_row(section.content, section.span)

@hookimpl
def dlm_section_types():
    return [Note()]
"""
BLOCK_PLUGIN = """
from dlm_core import hookimpl
from dlm_core.api import ConfigBlock

class Block(ConfigBlock):
    path = "{name}"
    def model(self):
        from .config import Config
        return Config

@hookimpl
def dlm_config_blocks():
    return [Block()]
"""
CONFIG = """
from pydantic import BaseModel, ConfigDict, Field

class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    enabled: bool = False
    weight: float = Field(1.0, ge=0)
    names: tuple[str, ...] = ()
"""


def install_plugins(site: Path, count: int) -> None:
    """Write `count` distributions, each with a module and its metadata, as pip would leave them."""
    for number in range(count):
        name = f"extra{number:02}"
        package, info = site / f"dlm_{name}", site / f"dlm_{name}-1.0.dist-info"
        package.mkdir(parents=True)
        info.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text((BLOCK_PLUGIN if number % 2 else SECTION_PLUGIN).format(name=name))
        (package / "config.py").write_text(CONFIG)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dlm-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[dlm]\n{name} = dlm_{name}.plugin\n")


def commands(document: str) -> dict[str, list[str]]:
    """What is measured, by the words that are shown."""
    known = Plugins.load().commands
    looking = [["check", document], ["plan", document], ["show", document], ["show", "--json", document]]
    looking += [["show", "--learned", document], ["tokens", document], ["cache", "show"]]
    looking += [
        ["preference", "list", document],
        ["bases"],
        ["plugins"],
        ["doctor"],
        ["schema"],
        ["explain", "DLM0101"],
        ["completion", "bash"],
    ]
    lines = [["--version"], ["--help"], *([name, "--help"] for name in known)]
    lines += [line for line in looking if line[0] in known]
    return {f"dlm {' '.join(line)}".replace(document, "notes.dlm"): [*DLM, *line] for line in lines}


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """User and system time of one process and its children, as the operating system counts it."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--plugins", type=int, nargs="+", default=[0, 8, 30], metavar="N")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="commands that hold one of these words")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "notes.dlm"
        document.write_text(DOCUMENT)
        environments = {}
        for count in options.plugins:
            site = Path(folder) / f"site{count}"
            site.mkdir()
            install_plugins(site, count)
            environments[count] = {**os.environ, "PYTHONPATH": str(site), "DLM_HOME": folder}
        measured = {
            name: command
            for name, command in commands(str(document)).items()
            if not options.only or any(word in name.split() for word in options.only)
        }
        report(measured, environments, options.runs)


def report(measured: dict[str, list[str]], environments: dict[int, dict[str, str]], runs: int) -> None:
    jobs = {("python -c pass", 0): ([sys.executable, "-c", "pass"], dict(os.environ))}
    for name, command in measured.items():
        jobs |= {(name, count): (command, environment) for count, environment in environments.items()}
    times: dict[tuple[str, int], list[float]] = {job: [] for job in jobs}
    for turn in range(runs + 1):
        for job, (command, environment) in jobs.items():
            seconds = cpu_seconds(command, environment)
            if turn:  # the first round writes bytecode and warms caches
                times[job].append(seconds)
    floor = times["python -c pass", 0]
    bare = statistics.median(floor) * 1000
    print(f"CPU ms, and times `python -c pass` at {bare:.0f} ms; medians of {runs} runs in turn")
    print(f"{'further plugins':<26}" + "".join(f"{count:>15}" for count in environments))
    for name in measured:
        cells = []
        for count in environments:
            took = times[name, count]
            ratio = statistics.median(a / b for a, b in zip(took, floor, strict=True))
            cells.append(f"{statistics.median(took) * 1000:6.0f} {ratio:6.1f}×")
        print(f"{name:<26}" + "".join(f"{cell:>15}" for cell in cells))


if __name__ == "__main__":
    main()
