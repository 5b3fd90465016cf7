"""Nothing leaves this machine: with a local base no socket is opened, and offline is noticed at once."""

from __future__ import annotations

import time
from pathlib import Path

NO_SOCKETS = """
import socket


def refuse(*arguments, **names):
    raise AssertionError(f"a socket was opened: {arguments}")


class Guarded(socket.socket):
    # Sockets that are files stay on this machine.

    def connect(self, address):
        return super().connect(address) if self.family == socket.AF_UNIX else refuse(address)

    connect_ex = connect

    def bind(self, address):
        return super().bind(address) if self.family == socket.AF_UNIX else refuse(address)


socket.socket = Guarded
socket.create_connection = refuse
socket.getaddrinfo = refuse
"""


def blocked(folder: Path) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(NO_SOCKETS)
    return {"PYTHONPATH": str(folder)}


def test_a_run_and_a_prompt_open_no_socket(desk, tmp_path):
    path = desk.write()
    env = blocked(tmp_path)
    result = desk.dlm("run", path, env=env)
    assert result.code == 0, result.err
    assert desk.dlm("prompt", path, "What colour is the rock?", env=env).out == "The rock is black.\n"


def test_the_guard_of_this_file_works(desk, tmp_path):
    import subprocess
    import sys

    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], env=desk.environment(blocked(tmp_path)), capture_output=True)
    assert b"a socket was opened" in done.stderr


def test_a_hub_base_that_is_not_here_is_one_problem_at_once(desk, tmp_path):
    path = desk.write()
    path.write_text(path.read_text().replace("base_model: tiny", "base_model: smollm2-135m"))
    env = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    started = time.monotonic()
    result = desk.dlm("train", path, env=env)
    assert result.code == 6
    assert len(result.err.strip().splitlines()) <= 12
    assert "SmolLM2-135M" in result.err
    assert time.monotonic() - started < 60
    assert desk.dlm("train", path, "--offline", env={"HF_HOME": str(tmp_path / "hf")}).code == 6
