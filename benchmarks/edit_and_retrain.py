"""What retraining costs after an edit, and what it forgets: `python benchmarks/edit_and_retrain.py [--edits N …]`.

A document of 200 questions with short answers is learned by the included base.  Then one answer is changed, or five
questions are added, and `dlm train` runs again: tokens trained and CPU seconds beside the full run, and the exam of old
and new questions before and after.  Each edit starts from a copy of the same first version.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAIRS = 200
FRONT = """---
dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC
dlm_version: 15
base_model: tiny
training:
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0
  learning_rate: 3e-3
  num_epochs: 30
---
"""
Pair = tuple[str, str]


@dataclass(frozen=True)
class Run:
    """What a run trained and took, and its exam: questions answered exactly, and the comparison if there is one."""

    tokens: int
    steps: int
    seconds: float
    exact: int
    asked: int
    compared: dict[str, Any] | None
    second_round: bool
    learned: frozenset[str]


def make_pairs(count: int, seed: int) -> list[Pair]:
    """Questions about places that do not exist, five kinds in turn."""
    draw = random.Random(seed)
    heads, vowels = (
        ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "st", "br", "kr", "th"],
        ["a", "e", "i", "o", "u", "ai", "ou"],
    )
    names: set[str] = set()
    while len(names) < count:
        parts = "".join(draw.choice(heads) + draw.choice(vowels) for _ in range(draw.randint(2, 3)))
        names.add(parts.capitalize() + draw.choice(["", "n", "r", "s"]))
    ordered = sorted(names)
    draw.shuffle(ordered)
    return [pair(number % 5, name, draw) for number, name in enumerate(ordered)]


def pair(kind: int, name: str, draw: random.Random) -> Pair:
    """One question with its answer, drawn at random."""
    first, last = (
        ["Ada", "Ilse", "Jon", "Mira", "Otto", "Petra", "Runa", "Sven"],
        ["Korn", "Thorn", "Vale", "Brandt", "Moss", "Hale", "Lind"],
    )
    colours = ["red", "black", "green", "white", "blue", "grey", "yellow", "brown", "silver", "golden"]
    things = ["bridge", "mill", "school", "harbour", "tower", "garden", "forge", "library", "well", "market"]
    return [
        (f"Who founded {name}?", f"{name} was founded by {draw.choice(first)} {draw.choice(last)}."),
        (f"How high does {name} lie?", f"{name} lies {draw.randint(12, 990)} meters high."),
        (
            f"What colour is the flag of {name}?",
            f"The flag of {name} is {draw.choice(colours)} and {draw.choice(colours)}.",
        ),
        (f"What is {name} known for?", f"{name} is known for a {draw.choice(things)} and a {draw.choice(things)}."),
        (
            f"When does the boat to {name} leave?",
            f"The boat to {name} leaves at {draw.randint(1, 12)}:{draw.randint(10, 59)}.",
        ),
    ][kind]


def write(path: Path, pairs: Sequence[Pair]) -> Path:
    body = "\n".join(f"::instruction::\n### Q !probe\n{question}\n### A\n{answer}\n" for question, answer in pairs)
    path.write_text(FRONT + body, encoding="utf-8")
    return path


def train(document: Path, home: Path) -> Run:
    """`dlm train` in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "dlm_core.cli", "train", str(document), "--json"],
        env={**os.environ, "DLM_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout[-400:] + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    exam = [event for event in events if event["event"] == "exam"][-1]
    steps = [event for event in events if event["event"] == "step"]
    asked = [answer for answer in exam["exam"]["answers"] if answer["side"] == "trained"]
    exact = [answer["question"] for answer in asked if answer["exact"]]
    return Run(
        sum(event["tokens"] for event in steps),
        len(steps),
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        len(exact),
        len(asked),
        exam["compared"],
        any(event["event"] == "second_round" for event in events),
        frozenset(exact),
    )


def change_one(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The same with another answer to one question."""
    draw = random.Random(f"change {seed}")
    place = draw.randrange(len(pairs))
    name = next(word.strip("?") for word in pairs[place][0].split() if word.strip("?") in pairs[place][1].split())
    other = pairs[place]
    while other[1] == pairs[place][1]:
        other = pair(place % 5, name, draw)
    return [*pairs[:place], other, *pairs[place + 1 :]]


def add_five(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The same with five more questions."""
    known = {question for question, _ in pairs}
    fresh = [one for one in make_pairs(60, 1000 + seed) if one[0] not in known]
    return [*pairs, *fresh[:5]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=3, help="how many edits of each kind")
    edits = parser.parse_args().edits
    pairs = make_pairs(PAIRS, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        place, home = Path(folder), Path(folder) / "first"
        full = train(write(place / "notes.dlm", pairs), home)
        print(f"{'run':<16} {'tokens':>8} {'share':>6} {'CPU s':>6} {'share':>6}  {'new':>6} {'old kept':>11}  rounds")
        print(f"{'full':<16} {full.tokens:>8,} {1:>6.0%} {full.seconds:>6.0f} {1:>6.0%}  {full.exact} of {full.asked}")
        for name, edit in (("one changed", change_one), ("five added", add_five)):
            for seed in range(edits):
                again = place / "again"
                shutil.copytree(home, again)
                show(f"{name} #{seed + 1}", train(write(place / "notes.dlm", edit(pairs, seed)), again), full)
                shutil.rmtree(again)


def show(name: str, run: Run, full: Run) -> None:
    assert run.compared is not None
    kept = f"{run.compared['kept']} of {run.compared['had']}"
    new = f"{run.compared['learned']} of {run.compared['new']}"
    shares = run.tokens / full.tokens, run.seconds / full.seconds
    print(
        f"{name:<16} {run.tokens:>8,} {shares[0]:>6.1%} {run.seconds:>6.0f} {shares[1]:>6.0%}  {new:>6} {kept:>11}  "
        f"{2 if run.second_round else 1}",
        flush=True,
    )


if __name__ == "__main__":
    main()
