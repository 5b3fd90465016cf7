"""CPU time to parse frontmatters and bodies, beside floors and beside another parser of such documents.

`python benchmarks/parsing.py --peer PYTHON`: PYTHON is an interpreter with document-language-model 0.10.0, pydantic and
PyYAML.  Every figure is a median over runs taken in turn; quote the ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dlm_core.document.frontmatter import read_frontmatter
from dlm_core.document.sections import read_sections
from dlm_core.document.text import Parts, divide
from dlm_core.plugins import Plugins

# 44 lines that the peer accepts as well.
FRONTMATTER = """dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC
dlm_version: 15
base_model: smollm2-135m
# what every conversation starts with
system_prompt: |
  You are a patient keeper of the lighthouse.
  Answer in one or two sentences, and say so
  when you do not know.
training:
  sequence_len: 1024
  micro_batch_size: auto
  grad_accum: auto
  num_epochs: 3
  optimizer: adamw_torch
  lr_scheduler: cosine
  warmup_ratio: 0.1
  precision: bf16
  seed: 42
  adapters:
    tone:
      adapter: lora
      lora_r: 8
      lora_alpha: 16
      lora_dropout: 0.05
      target_modules: auto
      learning_rate: 0.0002
    facts:
      adapter: lora
      lora_r: 16
      lora_alpha: 32
      learning_rate: 0.0001
  sources_policy: permissive
  sources:
    - path: handbook
      include: ["**/*.md", "**/*.txt"]
      exclude: ["drafts/**"]
      max_files: 200
    - path: letters
      include: ["*.txt"]
      max_bytes_per_file: 65536
export:
  default_quant: Q4_K_M
  default_temperature: 0.2
  default_top_p: 0.9
"""
# 38 characters a line, as in the notes of people.
LINES = """The lamp turns once in twelve seconds, and its light is seen from nine miles away.
Who keeps it must climb ninety steps with the oil of two nights on the back.

- oil in the store, and a spare mantle
- a log of ships

Ilse Korn built the tower on the black rock of Varn.
"""
CODE = "```python\nfor step in range(90):\n    climb(step)\n```\n"

PEER = """
import sys, time
from pathlib import Path
from dlm.doc import parser
front = Path(sys.argv[1]).read_text()
body = ""
def parse_body():
    for section in parser._tokenize_body(body, body_start_line=5, path=None):
        section.section_id
for line in sys.stdin:
    what, times, file = line.split()
    if what == "body":
        body = Path(file).read_text()
    start = time.process_time()
    for _ in range(int(times)):
        parse_body() if what == "body" else parser._validate_frontmatter(front, path=None)
    print((time.process_time() - start) / int(times), flush=True)
"""


class Peer:
    """The other parser in a process of its own, asked for one measurement at a time."""

    def __init__(self, python: str, folder: Path) -> None:
        front = folder / "front"
        front.write_text(FRONTMATTER)
        self.body = folder / "body"
        self.process = subprocess.Popen(
            [python, "-c", PEER, str(front)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, what: str, times: int = 1) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{what} {times} {self.body}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def body(size: int, section: int) -> str:
    """About `size` characters in sections of about `section`: prose, questions and answers, every fifth with code."""
    text = (LINES * (section // len(LINES) + 1))[: max(0, section - 40)]
    kinds = [
        f"::prose::\n{text}\n\n",
        f"::instruction::\n### Q\nWhy?\n### A\n{text}\n",
        f"::instruction#tone::\n### Q\nWhy?\n\n### A\n{text}\n",
        f"::prose::\n{text}\n",
        f"::instruction::\n### Q\nHow?\n### A\n{CODE}{text}\n",
    ]
    mix = "".join(kinds)
    return mix * (size // len(mix))


def timed(call: Callable[[], object], times: int) -> float:
    """CPU seconds of one call, the mean of `times`."""
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def in_turn(measures: dict[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """The seconds of each measure in every run, one after the other so that a busy machine slows all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(runs + 1):
        for name, measure in measures.items():
            took = measure()
            if turn:  # the first round warms up
                seconds[name].append(took)
    return seconds


def report(seconds: dict[str, list[float]], show: Callable[[float], str]) -> None:
    """A line for each measure; the first is ours, and the ratio is the median of those of each run."""
    ours = next(iter(seconds.values()))
    for name, took in seconds.items():
        ratio = statistics.median(theirs / mine for theirs, mine in zip(took, ours, strict=True))
        print(f"  {name:<26} {show(statistics.median(took)):>12}   ours takes 1/{ratio:.2f} of it")


def measure_frontmatter(plugins: Plugins, peer: Peer | None, runs: int) -> None:
    def ours() -> None:
        found = read_frontmatter(FRONTMATTER, 2, "yaml", plugins)
        assert not found.problems, found.problems

    measures = {"ours, with positions": lambda: timed(ours, 20)}
    if peer:
        measures["peer, without positions"] = lambda: peer.seconds("front", 20)
    print(f"frontmatter of {FRONTMATTER.count(chr(10))} lines, read and validated")
    report(in_turn(measures, runs), lambda seconds: f"{seconds * 1e3:.3f} ms")


def measure_body(plugins: Plugins, peer: Peer | None, runs: int, section: int) -> None:
    text = body(10_000_000, section)
    data = text.encode()
    whole = f"---\ndlm_id: x\n---\n{text}"
    parts = divide(whole)
    assert isinstance(parts, Parts)
    calls: dict[str, Callable[[], object]] = {
        "ours, with ids and lines": lambda: read_sections(whole, parts.body, parts.body_line, Path("a.dlm"), plugins),
        "sha256 of the bytes": lambda: hashlib.sha256(data).digest(),
        "str.split by lines": lambda: text.split("\n"),
        "str.count of line ends": lambda: text.count("\n"),
        'str.find of "\\n::"': lambda: find_all(text),
    }
    found, problems = read_sections(whole, parts.body, parts.body_line, Path("a.dlm"), plugins)
    assert len(found) == text.count("\n::") + 1
    assert not problems
    measures = {name: partial(timed, call, 1) for name, call in calls.items()}
    if peer:
        peer.body.write_text(text)
        measures["peer, with ids and lines"] = lambda: peer.seconds("body")
    size, lines = len(data) / len(found), text.count("\n")
    print(f"body of {len(data) / 1e6:.1f} MB in {len(found):,} sections of {size:,.0f} bytes, {lines:,} lines")
    del found
    report(in_turn(measures, runs), lambda seconds: f"{len(data) / 1e6 / seconds:.0f} MB/s")


def find_all(text: str) -> int:
    found, count = text.find("\n::"), 0
    while found >= 0:
        found, count = text.find("\n::", found + 1), count + 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has the other parser")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--sections", type=int, nargs="+", default=[100, 850, 100_000], metavar="BYTES")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}")
    plugins = Plugins.load()
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(options.peer, Path(folder)) if options.peer else None
        measure_frontmatter(plugins, peer, options.runs)
        for section in options.sections:
            measure_body(plugins, peer, options.runs, section)
        if peer:
            peer.process.communicate()


if __name__ == "__main__":
    main()
