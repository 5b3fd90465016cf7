"""Every shell block of the site and the README is run, page by page, and its output is what the page says."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .pages import PAGES, ROOT, read
from .script import Step, is_output, steps

HERE = Path(__file__).parent

#: Page -> how many of its blocks cannot run here; each says why in its first line.
NOT_TESTED = {
    "docs/how-to/export-to-ollama.md": 1,
    "docs/how-to/resume-and-rollback.md": 1,
    "docs/how-to/run-offline.md": 1,
    "docs/index.md": 1,
    "docs/tutorial/first-plugin.md": 1,
    "docs/tutorial/first-run.md": 1,
}

#: Commands that load the engine, and so are run by a process that has loaded it already.
WARM = "run|train|prompt|chat|exam|export"

#: What a page may begin with: name -> the blocks that make it.
GIVEN = {
    "notes": (
        "dlm init notes.dlm --base tiny",
        "dlm run notes.dlm --no-export",
        "printf '\\n### Q !probe\\nWhat does Tarn Hill sell?\\n### A\\nTarn Hill sells seeds.\\n' >> notes.dlm",
        "printf '\\n### Q !exam\\nWhat is sold at Tarn Hill?\\n### A\\nTarn Hill sells seeds.\\n' >> notes.dlm",
        "dlm run notes.dlm",
    )
}


@dataclass(frozen=True)
class Reader:
    """Somebody who follows a page in a folder of their own, which is also their home."""

    folder: Path
    programs: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DLM_", "PYTEST_", "PIP_"))}
        bin_folder = Path(sys.executable).parent
        return {
            **kept,
            "HOME": str(self.folder),
            "PATH": f"{self.programs}:{bin_folder}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **self._installer(),
        }

    def _installer(self) -> dict[str, str]:
        """`pip install` goes into the page's own folder, from what is here: no index is asked."""
        site = self.folder / ".site"
        packages = site / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        packages.mkdir(parents=True, exist_ok=True)
        (site / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(packages)!r})\n", encoding="utf-8")
        pip = {"PREFIX": str(site), "NO_INDEX": "1", "NO_DEPS": "1", "NO_BUILD_ISOLATION": "0"}
        quiet = {"DISABLE_PIP_VERSION_CHECK": "1", "NO_WARN_SCRIPT_LOCATION": "0", "ROOT_USER_ACTION": "ignore"}
        path = os.pathsep.join(filter(None, [str(site), str(packages), os.environ.get("PYTHONPATH")]))
        return {"PYTHONPATH": path, **{f"PIP_{name}": value for name, value in (pip | quiet).items()}}

    def run(self, block: str) -> tuple[int, str]:
        """Exit code and output, of both streams as a terminal shows them."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a `dlm` that asks the warm process for the commands that load the engine."""
    folder = tmp_path_factory.mktemp("programs")
    address, warm = folder / "socket", HERE / "warm.py"
    server = subprocess.Popen([sys.executable, str(warm), str(address)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    script = folder / "dlm"
    script.write_text(
        f'#!/bin/sh\ncase "$1" in ({WARM}) exec {sys.executable} -S {warm} {address} "$@";; esac\n'
        f'exec {sys.executable} -m dlm_core.cli "$@"\n'
    )
    script.chmod(0o755)
    while not address.exists():
        assert server.poll() is None, "the warm process did not start"
        time.sleep(0.05)
    yield folder
    server.terminate()
    server.wait()


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Callable[[str], Path]:
    """The prepared folder of a name, made once for all workers of the test run."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared

    def made(name: str) -> Path:
        folder = shared / f"given-{name}"
        with (shared / f"given-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                making = shared / f"making-{name}"
                making.mkdir()
                for block in GIVEN[name]:
                    code, out = Reader(making, programs).run(block)
                    assert code == 0, out
                making.rename(folder)
        return folder

    return made


def runs(page: Path) -> bool:
    return any(step.kind == "sh" for step in steps(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", [page for page in PAGES if runs(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, programs: Path, given: Callable[[str], Path]) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    reader, said = Reader(folder, programs), ""
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(programs)
    for step in steps(page.read_text(encoding="utf-8")):
        if step.kind == "given":
            shutil.copytree(given(step.name), folder, dirs_exist_ok=True)
        elif step.kind == "sh":
            said = _run(reader, step)
        else:
            _hold(step, folder, said)


def _run(reader: Reader, step: Step) -> str:
    code, said = reader.run(step.text)
    assert code == step.exit_code, f"line {step.line}: exit code {code}\n{step.text}\n{said}"
    return said


def _hold(step: Step, folder: Path, said: str) -> None:
    """Write what the reader writes; hold what the page shows against what is."""
    path = folder / step.name
    if step.kind == "output":
        assert is_output(step.text, said), f"line {step.line}: the page says\n{step.text}\nit printed\n{said}"
    elif step.kind == "part of":
        assert step.text in path.read_text(encoding="utf-8"), f"line {step.line}: not in {step.name}"
    elif step.kind in ("file", "append"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if step.kind == "append" else "w", encoding="utf-8") as file:
            file.write(step.text)


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    found = Counter({str(page.relative_to(ROOT)): _not_tested(page) for page in PAGES})
    assert dict(+found) == NOT_TESTED


def _not_tested(page: Path) -> int:
    return sum(step.kind == "not tested" for step in steps(page.read_text(encoding="utf-8")))


def test_the_readme_s_first_command_is_run_but_for_the_installation() -> None:
    first = next(step for step in steps(read("README.md")) if step.kind == "sh")
    assert first.text == ".venv/bin/dlm run examples/lighthouse.dlm"


def test_output_is_compared_line_by_line() -> None:
    assert is_output("a 0.01\n…\nb in 3 s\n", "a 0.03\nx\ny\nb in 41 s\n")
    assert not is_output("a 0.01\n", "a 0.01\nb\n")
    assert not is_output("a 0.01\n", "a 0.70\n")
    assert not is_output("33 of 33\n", "32 of 33\n")
