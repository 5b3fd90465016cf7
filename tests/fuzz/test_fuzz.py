"""A minute of the fuzzer, and every input that it ever found something with."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from .target import all_plugins, check

FOLDER = Path(__file__).parent
FINDS = sorted((FOLDER / "finds").glob("*"))


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.name)
def test_what_was_found_once(path):
    check(path.read_bytes(), all_plugins())


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python here")
def test_a_minute_of_fuzzing(tmp_path):
    options = [
        str(tmp_path / "corpus"),
        f"-artifact_prefix={tmp_path}/",
        f"-dict={FOLDER / 'document.dict'}",
        "-max_total_time=50",
        "-max_len=4096",
        "-timeout=120",
        "-rss_limit_mb=2048",
    ]
    command = [sys.executable, str(FOLDER / "fuzz_document.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    found = {path.name: path.read_bytes() for path in tmp_path.glob("*-*")}
    assert done.returncode == 0, f"{found}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert "DONE" in done.stderr
