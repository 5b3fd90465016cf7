"""Every check CI runs, runnable by hand: `nox -R -s tests` in a development environment, `nox -l` for the list."""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite: style, types, the site, and every test of core and plugins."""
    lint(session)
    types(session)
    build_site(session)
    session.run(sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    session.run(sys.executable, "-m", "ruff", "check", ".")
    session.run(sys.executable, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    session.run(sys.executable, "-m", "mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into site/; `-- --external` also asks for every link that leaves it."""
    build_site(session, *session.posargs)


def build_site(session: nox.Session, *options: str) -> None:
    """The site, built strictly, and every link and anchor in it checked."""
    quiet = {"NO_MKDOCS_2_WARNING": "1"}
    session.run(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean", env=quiet)
    session.run(sys.executable, "docs/_tools/links.py", "site", *options)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Look for inputs that break the parser: ten minutes, or `-- SECONDS`.  What it finds is left in build/fuzz."""
    seconds, *options = session.posargs or ["600"]
    folder = ROOT / "build/fuzz"
    (folder / "finds").mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/finds/", "-print_final_stats=1", *options]
    session.run(sys.executable, "tests/fuzz/fuzz_document.py", str(folder / "corpus"), *limits)


@nox.session
def known(session: nox.Session) -> None:
    """Write the table of which plugin provides what, after one has gained or lost something."""
    session.run(sys.executable, "tools/known.py", *session.posargs)


@nox.session(venv_backend="venv")
def core(session: nox.Session) -> None:
    """Core alone, in its own environment: no plugin may be importable, no torch pulled."""
    session.install("-c", "constraints.txt", ".", "pytest", "hypothesis")
    session.run("pytest", "-q", "tests", "-m", "not plugins", *session.posargs)


@nox.session(venv_backend="venv")
@nox.parametrize("name", PLUGINS)
def plugin(session: nox.Session, name: str) -> None:
    """One plugin with core and what it declares, so that a hidden import of a sibling fails."""
    session.install("-c", "constraints.txt", "-e", ".", "-e", f"plugins/{name}", "pytest", "hypothesis")
    session.run("pytest", "-q", "-c", "pyproject.toml", f"plugins/{name}/tests", *session.posargs)


@nox.session(venv_backend="venv")
def wheels(session: nox.Session) -> None:
    """Build every distribution, install the wheels in a clean environment, run the command."""
    session.install("build")
    out = Path(session.create_tmp())
    for path in (".", *(f"plugins/{name}" for name in PLUGINS)):
        session.run("python", "-m", "build", "--wheel", "--outdir", str(out), path)
    session.install("-c", "constraints.txt", "torch", *map(str, sorted(out.glob("*.whl"))))
    session.run("dlm", "plugins")
