"""`dlm run --watch` as a process: files are saved as editors save them, signals are sent as a terminal sends them."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ID, Desk
from .test_json import hold

#: `dlm` with the null trainer, which takes PAUSE seconds for each step.
NULL = """
import os, sys, time
from pathlib import Path
from dlm_core import hookimpl
from dlm_core.cli import invoke
from dlm_core.testing import Desk

class Slow:
    @hookimpl
    def dlm_event(self, event):
        if event.kind == "step":
            time.sleep(float(os.environ["PAUSE"]))

desk = Desk(Path.cwd()).use(Slow())
sys.exit(invoke(sys.argv[1:], desk.plugins))
"""
PAIR = "\n::instruction::\n### Q\n{}\n### A\n{}\n"
FIRST = PAIR.format("What colour is the rock?", "Black.")
SECOND = PAIR.format("How many steps?", "Ninety.")


class Watching:
    """A `dlm run --watch --json` under way; `until` reads its events."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        assert process.stdout
        threading.Thread(
            target=lambda out: [*map(self.lines.put, out), self.lines.put("")], args=(process.stdout,)
        ).start()

    def until(self, kind: str) -> list[dict[str, Any]]:
        """The events up to the next of a kind, with it."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["event"] != kind:
            line = self.lines.get(timeout=60)
            assert line, f"it ended before {kind}: {self.process.stderr.read() if self.process.stderr else ''}"
            found.append(json.loads(line))
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


Start = Callable[..., Watching]


@pytest.fixture
def start(desk: Desk) -> Iterator[Start]:
    begun: list[Watching] = []

    def start(path: Path, *options: str, pause: float = 0, null: bool = True) -> Watching:
        command = ["-c", NULL] if null else ["-m", "dlm_core.cli"]
        begun.append(
            Watching(
                subprocess.Popen(
                    [sys.executable, *command, "run", path, "--watch", "--json", "--no-export", *options],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=desk.folder,
                    env=desk.environment({"PAUSE": str(pause)}),
                )
            )
        )
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def write(desk: Desk, body: str, front: str = "") -> Path:
    """As many editors save: another file is put in its place."""
    new = desk.folder / "notes.dlm.new"
    new.write_text(f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: null-base\n{front}---\n{body}")
    return new.replace(desk.folder / "notes.dlm")


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def last(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(event for event in reversed(events) if event["event"] == kind)


def test_a_save_makes_the_next_version_and_a_broken_one_does_not(desk: Desk, start: Start) -> None:
    watching = start(write(desk, FIRST))
    first = watching.until("waiting")
    assert (first[0]["event"], first[0]["cycle"], first[0]["changed"]) == ("cycle", 1, [])
    assert last(first, "commit")["version"] == 1
    write(desk, FIRST + SECOND)
    second = watching.until("waiting")
    assert (second[0]["cycle"], second[0]["changed"]) == (2, ["notes.dlm"])
    assert last(second, "commit")["version"] == 2
    write(desk, FIRST + "::instruction::\n### A\nhalf a pair")
    broken = watching.until("waiting")
    assert (last(broken, "error")["exit_code"], broken[-1]["exit_code"], "commit" in kinds(broken)) == (3, 3, False)
    with (desk.folder / "notes.dlm").open("r+") as file:  # as other editors save
        file.truncate()
        file.write(f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: null-base\n---\n{SECOND}")
    assert last(watching.until("waiting"), "commit")["version"] == 3
    (desk.folder / "other.txt").write_text("nobody reads this")
    (desk.folder / "notes.dlm").touch()
    assert "unchanged" in kinds(watching.until("waiting"))
    assert watching.end() == 0
    for event in (*first, *second, *broken):
        if event["event"] in ("cycle", "waiting", "error"):
            hold("error" if event["event"] == "error" else "event", event)


def test_files_of_sources_are_watched_and_new_ones_and_rules(desk: Desk, start: Start) -> None:
    front = "training:\n  sources:\n    - path: texts\n      include: ['**/*.md']\n"
    (desk.folder / "texts" / "node_modules").mkdir(parents=True)
    (desk.folder / "texts" / "a.md").write_text("The rock is black.\n")
    watching = start(write(desk, FIRST, front))
    assert watching.until("waiting")[-1]["files"] == 1
    (desk.folder / "texts" / "a.md").write_text("The rock is red.\n")
    assert watching.until("waiting")[0]["changed"] == ["texts/a.md"]
    (desk.folder / "texts" / "node_modules" / "b.md").write_text("Not read.\n")
    (desk.folder / "texts" / "c.txt").write_text("Not read either.\n")
    (desk.folder / "texts" / "deep" / "er").mkdir(parents=True)
    (desk.folder / "texts" / "deep" / "er" / "d.md").write_text("The lamp turns.\n")
    found = watching.until("waiting")
    assert (found[0]["changed"], found[-1]["files"]) == (["texts/deep/er/d.md"], 2)
    (desk.folder / "texts" / "deep" / "er" / "d.md").write_text("The lamp is dark.\n")
    assert watching.until("waiting")[0]["changed"] == ["texts/deep/er/d.md"]
    (desk.folder / "texts" / ".gitignore").write_text("deep/\n")
    assert watching.until("waiting")[-1]["files"] == 1
    assert watching.end() == 0


def test_a_save_during_training_is_trained_afterwards(desk: Desk, start: Start) -> None:
    watching = start(write(desk, FIRST), pause=0.3)
    watching.until("step")
    write(desk, FIRST + SECOND)
    assert last(watching.until("waiting"), "commit")["version"] == 1, "the run under way is finished"
    second = watching.until("waiting")
    assert (second[0]["changed"], last(second, "commit")["version"]) == (["notes.dlm"], 2)


def test_ctrl_c_during_training_keeps_a_checkpoint(desk: Desk, start: Start) -> None:
    path = write(desk, FIRST, "training:\n  num_epochs: 50\n")
    watching = start(path, pause=0.1)
    watching.until("step")
    assert watching.end() == 130
    again = start(path, "--resume")
    events = again.until("waiting")
    assert (last(events, "run")["resumed"], last(events, "commit")["version"]) == (True, 1)
    assert again.end() == 0


def test_steps_are_bounded(desk: Desk, start: Start) -> None:
    path = write(desk, FIRST, "training:\n  num_epochs: 50\n")
    watching = start(path, "--max-steps", "4")
    events = watching.until("waiting")
    assert kinds(events).count("step") == 4
    assert {event["steps"] for event in events if event["event"] == "step"} == {4}
    path.touch()
    assert "unchanged" in kinds(watching.until("waiting"))
    assert watching.end() == 0


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_embedded_base_learns_an_edit(desk: Desk, start: Start) -> None:
    body = "\n::instruction::\n### Q\nWhat colour is the rock?\n### A\n{}\n"
    training = "  learning_rate: 5e-3\n  num_epochs: 12\n"
    path = desk.write(body.format("Black."), training)
    watching = start(path, "--max-steps", "6", null=False)
    first = watching.until("waiting")
    assert (kinds(first).count("step"), last(first, "commit")["version"]) == (6, 1)
    desk.write(body.format("Red."), training)
    second = watching.until("waiting")
    assert (kinds(second).count("step") <= 6, last(second, "commit")["version"]) == (True, 2)
    assert watching.end() == 0
