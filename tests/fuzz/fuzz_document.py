"""Coverage-guided fuzzing of the document parser: `python tests/fuzz/fuzz_document.py CORPUS [libFuzzer options]`.

CORPUS is a folder that is filled with seeds when it is empty, and with what the fuzzer finds interesting.
An hour: `-max_total_time=3600 -max_len=4096 -dict=tests/fuzz/document.dict -rss_limit_mb=2048`.
"""

from __future__ import annotations

import hashlib
import runpy
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["dlm_core", "tomli"]):
    import dlm_core.document.frontmatter  # noqa: F401  (what is imported later is not instrumented)
    from tests.fuzz.target import all_plugins, check

    plugins = all_plugins()
    for mark in (b"---\n", b"+++\n"):
        check(mark * 2 + b"::instruction::\n### Q\n", plugins)


def write_seeds(folder: Path) -> None:
    """The examples, every wrong document and every hostile one that is short, each under its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    cases = runpy.run_path(str(ROOT / "tests/document/test_wrong_documents.py"))["CASES"]
    texts = [text for text, _ in cases.values()]
    hostile = runpy.run_path(str(ROOT / "tests/document/test_hostile.py"))
    texts += [hostile["TOML"] + "+++\n", *hostile["HOSTILE"].values()]
    seeds = [text.encode() for text in texts]
    seeds += [path.read_bytes() for path in (ROOT / "examples").glob("*.dlm")]
    seeds += [path.read_bytes() for path in (Path(__file__).parent / "finds").glob("*")]
    for seed in seeds:
        if len(seed) <= 8192:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


def main() -> None:
    write_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, lambda data: check(data, plugins))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
