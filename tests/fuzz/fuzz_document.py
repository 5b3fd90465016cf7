"""Coverage-guided fuzzing of the document parser: `python tests/fuzz/fuzz_document.py FOLDER [libFuzzer options]`.

It starts from `corpus` and `finds` beside this file and keeps in FOLDER what else it finds interesting.  With
`-seed=1 -runs=20000 -use_cmp=0` it tries the same inputs each time, with `-max_total_time=3600` others for an hour.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["dlm_core", "tomli"]):
    import dlm_core.document.frontmatter  # noqa: F401  (what is imported later is not instrumented)
    from tests.fuzz.target import all_plugins, check

    plugins = all_plugins()
    for mark in (b"---\n", b"+++\n"):
        check(mark * 2 + b"::instruction::\n### Q\n", plugins)

#: Seconds for one input count only against one that never ends: `check` measures the time of the processor.
OPTIONS = [f"-dict={HERE / 'document.dict'}", "-max_len=4096", "-timeout=600", "-rss_limit_mb=2048", "-reload=0"]


def main() -> None:
    program, folder, *options = sys.argv
    Path(folder).mkdir(parents=True, exist_ok=True)
    starts = [str(HERE / name) for name in ("corpus", "finds")]
    atheris.Setup([program, folder, *starts, *OPTIONS, *options], lambda data: check(data, plugins))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
