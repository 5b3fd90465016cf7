"""Fixtures for black-box tests: documents go in, the `dlm` command runs, what it says and leaves is looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlm_core.testing import Result

ID = "01KAPQ5T0J8E6M3Y7VZ2R4W9XC"

# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Settings with which the embedded base learns a handful of pairs in a few seconds.
QUICK = """  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  learning_rate: 5e-3
  num_epochs: 12
"""

LIGHTHOUSE = """The lighthouse of Varn stands on a black rock. It was built by Ilse Korn.

::instruction::
### Q !probe
Who built the lighthouse of Varn?
### A
Ilse Korn built it.

### Q
What colour is the rock?
### A
The rock is black.

### Q !exam
Who was the builder of the Varn lighthouse?
### A
Ilse Korn built it.

::instruction::
### Q
How many steps lead to the lamp?
### A
There are ninety steps.
"""


@dataclass(frozen=True)
class Desk:
    """A folder with a document and a home for its store."""

    folder: Path
    home: Path

    def write(self, body: str = LIGHTHOUSE, training: str = QUICK, front: str = "", name: str = "notes.dlm") -> Path:
        path = self.folder / name
        block = f"training:\n{training}" if training else ""
        path.write_text(
            f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: tiny\n{front}{block}---\n{body}", encoding="utf-8"
        )
        return path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        keep = {name: value for name, value in os.environ.items() if not name.startswith("DLM_")}
        return {**keep, "DLM_HOME": str(self.home), "NO_COLOR": "1", "OMP_NUM_THREADS": "1", **(extra or {})}

    def start(self, *arguments: object, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dlm_core.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(env),
            **options,
        )

    def dlm(self, *arguments: object, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        process = self.start(*arguments, env=env, stdin=subprocess.PIPE)
        out, err = process.communicate(stdin, timeout=300)
        return Result(process.returncode, out, err)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, tmp_path / "home")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Path, Result]:
    """A document that has been through `dlm run` once: desk, document, what the command said."""
    base = tmp_path_factory.mktemp("trained")
    desk = Desk(base, base / "home")
    path = desk.write()
    result = desk.dlm("run", path)
    assert result.code == 0, result.err
    return desk, path, result


@pytest.fixture
def used(trained: tuple[Desk, Path, Result], tmp_path: Path) -> Callable[[], tuple[Desk, Path]]:
    """A private copy of the trained document and its store, for tests that change them."""
    import shutil

    def copy() -> tuple[Desk, Path]:
        original, path, _ = trained
        desk = Desk(tmp_path / "copy", tmp_path / "copy" / "home")
        shutil.copytree(original.folder, desk.folder)
        return desk, desk.folder / path.name

    return copy
