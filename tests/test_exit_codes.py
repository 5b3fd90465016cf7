"""Each exit code of the page, from a real command in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from .authors.packages import entry_points, environment

ROOT = Path(__file__).parents[1]
HEAD = "---\ndlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC\nbase_model: null-base\n"
PAIR = "::instruction::\n### Q\nWho built it?\n### A\nIlse Korn.\n"
OTHER = PAIR.replace("Ilse", "Oda")
#: What goes wrong in the world: a job that fails, one that is stopped, a damaged file, a base too large.
TROUBLE = """
import os, signal
from dlm_core import hookimpl
from dlm_core.api import BaseModel, Exporter, ExportFailedError, Runner


class Fails(Runner):
    name = "fails"

    def run(self, trainer, job):
        raise OSError("the lights went out")


class Stopped(Runner):
    name = "stopped"
    chosen = False

    def run(self, trainer, job):
        Stopped.chosen = True
        return trainer.train(job)


@hookimpl
def dlm_event(event):
    if event.kind == "step" and Stopped.chosen:
        os.kill(os.getpid(), signal.SIGINT)


class Damaged(Exporter):
    name = "damaged"
    help = "a file that fails its check"

    def export(self, job):
        (job.out / "part.bin").write_bytes(b"half")
        raise ExportFailedError("part.bin holds half of what it should")


@hookimpl
def dlm_runners():
    return [Fails(), Stopped()]


@hookimpl
def dlm_exporters():
    return [Damaged()]


@hookimpl
def dlm_base_models():
    return [BaseModel("giant", "hub:null/base", revision="1", parameters=10**14, context=4096)]
"""


@dataclass(frozen=True)
class Case:
    """A command in a folder with `notes.dlm`; what it says on stderr; which version is the current one afterwards."""

    command: str
    said: str
    version: int | None = None
    document: str = f"{HEAD}---\n{PAIR}"
    before: str = ""


CASES = {
    0: Case("run notes.dlm", "", 1),
    1: Case("run notes.dlm --force --runner fails", "the lights went out", 1, before="run notes.dlm"),
    2: Case("run nowhere.dlm", "nowhere.dlm"),
    3: Case("run notes.dlm", "error[DLM0101]", document=f"{HEAD}trainig: {{}}\n---\n{PAIR}"),
    4: Case("run notes.dlm", "giant needs", document=f"{HEAD.replace('null-base', 'giant')}---\n{PAIR}"),
    5: Case("-P no:null run notes.dlm", "disabled here by `-P no:null`"),
    6: Case("run notes.dlm --offline", "dlm bases --fetch null-base"),
    7: Case("run notes.dlm --export damaged", "part.bin holds half", 1),
    8: Case("run notes.dlm --min-exam 1", "--min-exam", document=f"{HEAD}---\n{PAIR}\n{OTHER}"),
    130: Case("run notes.dlm --runner stopped", "step 1"),
}


@pytest.mark.parametrize("code", CASES)
def test_a_command_exits_with(tmp_path: Path, code: int) -> None:
    case = CASES[code]
    site = tmp_path / "site"
    entry_points(site, "some-null", "1.0", {"null": "dlm_core.testing.null.plugin"})
    entry_points(site, "some-trouble", "1.0", {"trouble": "trouble"})
    (site / "trouble.py").write_text(TROUBLE)
    env = environment(site, DLM_HOME=str(tmp_path / "home"), DLM_PLUGINS="null,trouble")
    (tmp_path / "notes.dlm").write_text(case.document)

    def dlm(line: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "dlm_core.cli", *line.split()]
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)

    assert not case.before or dlm(case.before).returncode == 0
    done = dlm(case.command)
    assert (done.returncode, case.said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
    heads = list((tmp_path / "home").rglob("HEAD"))
    assert {int(head.read_text().split()[0]) for head in heads} - {0} == ({case.version} if case.version else set())
    assert not list((tmp_path / "home").rglob("part.bin"))


def test_every_code_of_the_page_is_produced() -> None:
    page = (ROOT / "docs/reference/exit-codes.md").read_text().partition("## The errors")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == sorted(CASES)
