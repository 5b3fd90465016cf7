"""Where the time of a short run goes: `python benchmarks/short_run.py [DOCUMENT]`.

CPU seconds of each stage of `dlm run` in one process, by the events it emits, and the share that is not training.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "lighthouse.dlm"

#: The event that ends each stage, in order.
STAGES = {
    "start, parse, gather, plan": "plan",
    "import torch, transformers, peft; load base": "phase",
    "train": "phase_end",
    "keep, load again, exam": "exam",
    "commit": "commit",
    "export and its parity check": "export",
}

OBSERVER = """
import json, resource, sys
from dlm_core import hookimpl


@hookimpl
def dlm_event(event):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([event.kind, usage.ru_utime + usage.ru_stime]), file=sys.stderr)
"""


def main() -> None:
    document = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        info = site / "dlm_stopwatch-1.dist-info"
        info.mkdir(parents=True)
        (site / "dlm_stopwatch.py").write_text(OBSERVER)
        (info / "entry_points.txt").write_text("[dlm]\nstopwatch = dlm_stopwatch\n")
        env = {**os.environ, "DLM_HOME": folder, "PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, "-m", "dlm_core.cli", "run", str(document)], env=env, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stderr)
    seen: dict[str, float] = {}
    for line in done.stderr.splitlines():
        if line.startswith("["):
            kind, seconds = json.loads(line)
            seen[kind] = seconds
    total = resource.getrusage(resource.RUSAGE_CHILDREN)
    report(seen, total.ru_utime + total.ru_stime)


def report(seen: dict[str, float], total: float) -> None:
    """Print a row for each stage; `seen` maps the last event of a kind to CPU seconds since the process began."""
    before, spent = 0.0, {}
    for stage, event in STAGES.items():
        if event in seen:
            spent[stage] = seen[event] - before
            before = seen[event]
    spent["end; llama.cpp in its own process"] = total - before
    for stage, seconds in spent.items():
        print(f"{stage:<46} {seconds:6.2f} CPU-s {seconds / total:6.0%}")
    print(f"{'all':<46} {total:6.2f} CPU-s; not training: {1 - spent.get('train', 0) / total:.0%}")


if __name__ == "__main__":
    main()
