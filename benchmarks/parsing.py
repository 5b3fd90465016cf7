"""CPU time to parse frontmatters and bodies, beside floors and beside another parser of such documents.

`python benchmarks/parsing.py --peer PYTHON`: PYTHON is an interpreter with document-language-model 0.10.0, pydantic and
PyYAML.  Every figure is a median over runs taken in turn; quote the ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dlm_core.document.frontmatter import read_frontmatter
from dlm_core.document.sections import read_sections
from dlm_core.document.text import divide
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
import json, sys, time
from pathlib import Path
from dlm.doc import parser
front, body, runs = Path(sys.argv[1]).read_text(), Path(sys.argv[2]).read_text(), int(sys.argv[3])
def timed(call, times):
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times
def parse_body():
    for section in parser._tokenize_body(body, body_start_line=5, path=None):
        section.section_id
call, times = (parse_body, 1) if sys.argv[4] == "body" else (lambda: parser._validate_frontmatter(front, path=None), 20)
call()
print(json.dumps([timed(call, times) for _ in range(runs)]))
"""


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


def in_turn(calls: dict[str, Callable[[], object]], runs: int, times: int = 1) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(runs + 1):
        for name, call in calls.items():
            took = timed(call, times)
            if turn:  # the first round warms up
                seconds[name].append(took)
    return seconds


def peer_seconds(python: str, text: str, what: str, runs: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        front, whole = Path(folder) / "front", Path(folder) / "body"
        front.write_text(FRONTMATTER)
        whole.write_text(text)
        command = [python, "-c", PEER, str(front), str(whole), str(runs), what]
        return list(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure_frontmatter(plugins: Plugins, peer: str | None, runs: int) -> None:
    def ours() -> None:
        found = read_frontmatter(FRONTMATTER, 2, "yaml", plugins)
        assert not found.problems, found.problems

    seconds = in_turn({"ours, with positions": ours}, runs, 20)
    if peer:
        seconds["peer, without"] = peer_seconds(peer, "", "front", runs)
    print(f"frontmatter of {FRONTMATTER.count(chr(10))} lines, read and validated")
    ours_median = statistics.median(seconds["ours, with positions"])
    for name, took in seconds.items():
        median = statistics.median(took)
        print(f"  {name:<28} {median * 1e3:8.3f} ms   ours is {median / ours_median:5.2f}× as fast")


def measure_body(plugins: Plugins, peer: str | None, runs: int, section: int) -> None:
    text = body(10_000_000, section)
    data = text.encode()
    count, lines = text.count("\n::"), text.count("\n")
    path = Path("a.dlm")
    whole = f"---\ndlm_id: x\n---\n{text}"
    parts = divide(whole)
    calls: dict[str, Callable[[], object]] = {
        "ours, with ids and lines": lambda: read_sections(whole, parts.body, parts.body_line, path, plugins),
        "sha256 of the bytes": lambda: hashlib.sha256(data).digest(),
        "str.split by lines": lambda: text.split("\n"),
        "str.count of line ends": lambda: text.count("\n"),
        'str.find of "\\n::"': lambda: find_all(text),
    }
    found, problems = calls["ours, with ids and lines"]()  # type: ignore[misc]
    assert len(found) == count + 1
    assert not problems
    seconds = in_turn(calls, runs)
    if peer:
        seconds["peer, with ids and lines"] = peer_seconds(peer, text, "body", max(3, runs // 3))
    print(
        f"body of {len(data) / 1e6:.1f} MB in {count + 1:,} sections of {len(data) / (count + 1):,.0f} bytes, {lines:,} lines"
    )
    ours_median = statistics.median(seconds["ours, with ids and lines"])
    for name, took in seconds.items():
        median = statistics.median(took)
        print(f"  {name:<28} {len(data) / 1e6 / median:8.0f} MB/s ours is {median / ours_median:5.2f}× as fast")


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
    measure_frontmatter(plugins, options.peer, options.runs)
    for section in options.sections:
        measure_body(plugins, options.peer, options.runs, section)


if __name__ == "__main__":
    main()
