"""A process that has loaded the engine once and runs each `dlm` command line in a fork of itself.

`dlm prompt` spends nine tenths of its time on importing libraries, and the pages hold dozens of such commands.  The
command is the real one, `dlm_core.cli.main`, in a process of its own, with its own folder, environment and streams.
As a program: `warm.py SOCKET` serves, `warm.py SOCKET ARGUMENTS…` asks a server to run one command line.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys


def serve(path: str) -> None:
    """Load what commands load, then fork for each that comes, for ever."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _run(connection)
        connection.close()


def _load() -> None:
    from importlib import import_module

    from dlm_hf import imports

    imports.prepare()
    for name in ("peft", "gguf", "transformers.models.llama.modeling_llama", "dlm_hf.sft", "dlm_hf.engine"):
        import_module(name)


def _run(connection: socket.socket) -> None:
    size = array.array("i", [0, 0, 0]).itemsize * 3
    message, ancillary, *_ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(size))
    streams = array.array("i", ancillary[0][2])
    for number, (name, stream) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(stream, number)
        setattr(sys, name, open(number, "w" if number else "r", buffering=1, encoding="utf-8", closefd=False))  # noqa: SIM115
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(message)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    _add_sites(os.environ.get("PYTHONPATH", ""))
    connection.sendall(bytes([_command(asked["arguments"])]))
    os._exit(0)


def _add_sites(path: str) -> None:
    import site

    for folder in filter(None, path.split(os.pathsep)):
        site.addsitedir(folder)


def _command(arguments: list[str]) -> int:
    from dlm_core.cli import main

    sys.argv = ["dlm", *arguments]
    code = 0
    try:
        main(arguments)
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def ask(path: str, arguments: list[str]) -> int:
    """Run a command line in a fork of the server, with this process's streams; its exit code."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    asked = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    streams = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    connection.sendmsg([json.dumps(asked).encode()], [streams])
    answer = connection.recv(1)
    return answer[0] if answer else 70


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        raise SystemExit(ask(sys.argv[1], sys.argv[2:]))
