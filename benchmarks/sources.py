"""Walking and reading a tree of sources: ours, bare `os.scandir` with and without reading, and a document peer.

`python benchmarks/sources.py [--files 100000] [--peer PYTHON]` makes two trees on the spot: a repository with
`node_modules` and `.git` in it, of which about a quarter is wanted, and a folder of notes of which everything is.  Each
job runs in a process of its own; CPU seconds are user and system of the job alone, memory is the peak of the process.
PYTHON is an interpreter with document-language-model installed.  Both must find the same files in the notes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HEAD = "---\ndlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC\ndlm_version: 15\nbase_model: smollm2-135m\ntraining:\n  sources:\n"
WORDS = [
    "the",
    "lamp",
    "of",
    "a",
    "lighthouse",
    "turns",
    "above",
    "its",
    "black",
    "rock",
    "while",
    "ships",
    "pass",
    "by",
    "night",
    "and",
    "wait",
    "for",
    "day",
]

#: What every job starts with: the CPU time since here is printed with the number of files.
CLOCK = """
import os, sys, json, resource, time
root, mode = sys.argv[1:3]
def done(files, size=0):
    cpu = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"files": files, "bytes": size, "cpu": cpu, "peak": peak / 1024}))
"""
BARE = """
begun = time.process_time()
def walk(folder):
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path)
            else:
                yield entry.path
def read(path):
    with open(path, "rb") as file:
        return file.read()
paths = list(walk(root)) if mode == "walk" else []
if mode == "walk":
    done(len(paths))
else:
    kept = [read(path).decode() for path in walk(root)]
    done(len(kept), sum(map(len, kept)))
"""
OURS = """
from pathlib import Path
from dlm_core.document import read_document
from dlm_core.plugins import Plugins
from dlm_core.sources.gather import Gathering
plugins = Plugins.load()
plugins.base_models, plugins.source_readers, plugins.section_types
doc = read_document(Path(root) / ".dlm" / "bench.dlm", plugins)
begun = time.process_time()
gathering = Gathering(doc, plugins)
if mode == "walk":
    done(sum(1 for source in gathering.find_sources() for _ in gathering.walk(source)))
elif mode == "stream":
    done(sum(bool(section.source) for section in gathering), gathering.tally.bytes)
else:
    kept = [section for section in gathering if section.source]
    done(len(kept), gathering.tally.bytes)
"""
PEER = """
from pathlib import Path
from dlm.directives.discovery import discover_configs
from dlm.directives.expand import expand_sources
from dlm.directives.merge import effective_config_for
from dlm.doc.parser import parse_file
parsed = parse_file(Path(root) / ".dlm" / "bench.dlm")
begun = time.process_time()
if mode == "walk":
    (source,) = parsed.frontmatter.training.sources
    top = Path(root)
    configs = discover_configs(top)
    found = [path for path in sorted(top.rglob("*")) if path.is_file()]
    done(sum(effective_config_for(
        path, source_root=top, discovered=configs, parent_directive=source, is_dir=False).included for path in found))
else:
    result = expand_sources(parsed, base_path=Path(root) / ".dlm")
    done(len(result.sections), sum(one.total_bytes for one in result.provenance))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", help="a Python with document-language-model installed")
    parser.add_argument("--peer-runs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        repository, notes = Path(place, "repository"), Path(place, "notes")
        make_repository(repository, options.files)
        make_notes(notes, options.files)
        print(f"repository: {count(repository):,} files; notes: {count(notes):,} files")
        compare("repository, walk", repository, "walk", options)
        compare("repository, walk and read, all kept", repository, "read", options)
        compare("notes, walk", notes, "walk", options)
        compare("notes, walk and read, all kept", notes, "read", options)
        print_one("notes, walk and read, streamed: ours", measure(sys.executable, OURS, notes, "stream"))


def compare(title: str, root: Path, mode: str, options: argparse.Namespace) -> None:
    """Bare, ours and the peer in turn; the medians, and ours as a ratio to each."""
    jobs = {"bare": (sys.executable, BARE, options.runs), "ours": (sys.executable, OURS, options.runs)}
    if options.peer:
        jobs["peer"] = (options.peer, PEER, options.peer_runs)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
    for turn in range(options.runs):
        for name, (python, job, runs) in jobs.items():
            if turn < runs:
                found[name].append(measure(python, job, root, mode))
    if options.peer and root.name == "notes":
        assert found["ours"][0]["files"] == found["peer"][0]["files"], "the two do not find the same files"
    middle = {name: statistics.median(run["cpu"] for run in runs) for name, runs in found.items()}
    for name, runs in found.items():
        ratio = f"  {middle[name] / middle['ours']:6.2f} x ours"
        print_one(f"{title}: {name}", {**runs[0], "cpu": middle[name]}, ratio)


def print_one(title: str, run: dict[str, float], ratio: str = "") -> None:
    speed = run["files"] / run["cpu"]
    print(
        f"{title:<42} {run['files']:>7,.0f} files  {run['cpu']:7.3f} CPU s  {speed:>9,.0f} files/s"
        f"  {run['peak']:5.0f} MB{ratio}",
        flush=True,
    )


def measure(python: str, job: str, root: Path, mode: str) -> dict[str, float]:
    environment = {**os.environ, "DLM_HOME": str(root.parent / "home"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-c", CLOCK + job, str(root), mode], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def make_repository(root: Path, files: int) -> None:
    """Three files of four lie in packages of node_modules and objects of .git, at several depths."""
    chance = random.Random(1)
    write(root / ".gitignore", "*.log\n/out/\n!keep.log\n*.py[cod]\n__pycache__/\ndocs/_build/\n")
    document(root, 'include: ["**/*.py", "**/*.md"]\n      exclude: ["**/tests/**"]')
    for number in range(files // 4):
        name = f"package{number % 97}/{('src', 'docs', 'tests')[number % 3]}/m{number}"
        write(root / f"{name}{('.py', '.md', '.log', '.json')[number % 4]}", text(chance, 400))
    for number in range(files // 2):
        folder = (
            root / ("web" if number % 2 else ".") / "node_modules" / f"p{number % 151}" / ("lib", "dist")[number % 2]
        )
        write(folder / f"f{number}.{('js', 'md', 'json')[number % 3]}", text(chance, 120))
    for number in range(files // 4):
        write(root / ".git" / "objects" / f"{number % 256:02x}" / f"{number:038x}", text(chance, 120))


def make_notes(root: Path, files: int) -> None:
    chance = random.Random(2)
    document(root, 'include: ["**/*"]')
    for number in range(files):
        write(root / f"y{number % 13}" / f"m{number % 101}" / f"note{number}.md", text(chance, 1500))


def document(root: Path, rules: str) -> None:
    write(root / ".dlm" / "bench.dlm", f"{HEAD}    - path: .\n      {rules}\n---\n")


def text(chance: random.Random, size: int) -> str:
    words = chance.choices(WORDS, k=size // 5)
    return "\n".join(" ".join(words[at : at + 12]) for at in range(0, len(words), 12)) + "\n"


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def count(root: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(root))


if __name__ == "__main__":
    main()
