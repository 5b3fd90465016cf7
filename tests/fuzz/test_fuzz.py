"""The first inputs that the fuzzer makes of its corpus, always the same, and every input that it ever found something
with.  `nox -R -s fuzz` looks further."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .target import all_plugins, check

FOLDER = Path(__file__).parent
FINDS = sorted((FOLDER / "finds").glob("*"))
#: About a minute of a processor.
RUNS = 20_000


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.name)
def test_what_was_found_once(path):
    check(path.read_bytes(), all_plugins())


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python here")
def test_the_same_inputs_at_every_run(tmp_path):
    options = [str(tmp_path / "new"), f"-artifact_prefix={tmp_path}/", "-seed=1", f"-runs={RUNS}", "-use_cmp=0"]
    command = [sys.executable, str(FOLDER / "fuzz_document.py"), *options]
    # What is compared is remembered by its address, and the order of sets follows the hashes: both differ by chance.
    same = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=same)
    found = {path.name: path.read_bytes() for path in tmp_path.glob("*-*")}
    assert done.returncode == 0, f"{found}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert f"Done {RUNS} runs" in done.stderr


def test_the_corpus_is_small():
    files = list((FOLDER / "corpus").iterdir())
    assert 100 <= len(files) <= 300
    assert sum(path.stat().st_size for path in files) <= 300_000
