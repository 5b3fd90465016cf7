"""`dlm plugin new`: every kind of package passes its own tests, and one is really installed."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import tomli

from dlm_core.cli.plugin import TEMPLATES, kinds, make_package, template_files

from .packages import as_installed, pytest_run

ROOT = Path(__file__).resolve().parents[2]
NAMES = {kind: f"my-{kind}" for kind in kinds()}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of every kind, each as if it were installed."""
    folder = tmp_path_factory.mktemp("packages")
    for kind, name in NAMES.items():
        make_package(name, kind, folder / f"dlm-{name}")
        as_installed(folder / f"dlm-{name}", folder / "site")
    return folder


@pytest.fixture(scope="module")
def own_tests(packages: Path) -> dict[str, tuple[int, list[str]]]:
    """Kind -> how many of its package's own tests ran, and which failed: one pytest run for all."""
    report = packages / "report.xml"
    done = pytest_run(packages, *(f"dlm-{name}/tests" for name in NAMES.values()), f"--junitxml={report}")
    out: dict[str, tuple[int, list[str]]] = {}
    for kind, name in NAMES.items():
        module = f"test_{name.replace('-', '_')}"
        cases = [case for case in ElementTree.parse(report).iter("testcase") if module in (case.get("classname") or "")]
        failed = [str(case.get("name")) for case in cases if len(case)]
        out[kind] = (len(cases), failed)
    assert done.returncode in (0, 1), done.stdout
    return out


def test_there_is_a_template_for_each_kind() -> None:
    assert set(kinds()) == {
        "section-type",
        "source-reader",
        "precision-policy",
        "trainer",
        "exporter",
        "command",
        "media-kind",
        "base-models",
    }


@pytest.mark.parametrize("kind", NAMES)
def test_a_package_passes_its_own_tests(own_tests: dict[str, tuple[int, list[str]]], kind: str) -> None:
    ran, failed = own_tests[kind]
    assert failed == []
    assert ran > 13, "the conformance suite and tests of its own"


@pytest.mark.parametrize("kind", NAMES)
def test_a_package_is_whole_and_has_its_own_names(packages: Path, kind: str) -> None:
    folder = packages / f"dlm-{NAMES[kind]}"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    package = f"dlm_{NAMES[kind].replace('-', '_')}"
    wanted = {"pyproject.toml", "README.md", f"{package}/__init__.py", f"{package}/plugin.py", f"{package}/py.typed"}
    assert wanted <= files
    text = "".join((folder / name).read_text() for name in files) + " ".join(files)
    assert "newplugin" not in text.lower()
    project = tomli.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == f"dlm-{NAMES[kind]}"
    assert project["dependencies"] == ["dlm-core>=0.1,<0.2"]


def test_the_packages_are_tidy(packages: Path) -> None:
    """Formatted and linted as the templates are; names of other lengths may move a line's end."""
    pytest.importorskip("ruff")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", packages], capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()


def test_a_package_is_installed_and_works(tmp_path: Path) -> None:
    """The real thing: `dlm plugin new`, `pip install`, `dlm`."""
    pytest.importorskip("hatchling")
    environment = {**os.environ, "DLM_HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path / "site")}

    def run(*words: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, words)], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "created dlm-harbour-words" in run(
        "dlm_core.cli", "plugin", "new", "harbour-words", "--kind", "section-type"
    )
    run("pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", "site", "./dlm-harbour-words")
    assert "active" in run("dlm_core.cli", "plugins", "--why", "harbour_words")
    front = "---\ndlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC\nbase_model: ./site\n---\n"
    (tmp_path / "a.dlm").write_text(front + "::harbour_words::\nquay: a place to land\n")
    assert "1 rows" in run("dlm_core.cli", "check", "a.dlm")


def test_the_wheel_of_core_carries_the_templates() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    builder = wheel.WheelBuilder(str(ROOT))
    carried = {Path(file.distribution_path) for file in builder.recurse_included_files()}
    for kind in kinds():
        for path in template_files(kind):
            assert Path("dlm_core/plugin_templates") / path.relative_to(TEMPLATES) in carried


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["My Plugin"], "cannot be the name"),
        (["2fast"], "cannot be the name"),
        (["class"], "cannot be the name"),
        (["prose"], "there is a section type 'prose' already"),
        (["core"], "there is a plugin 'core'"),
        (["poem", "--to", "full"], "is not empty"),
        (["poem", "--to", "no/where"], "there is no folder"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(dlm_desk, words: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    (dlm_desk.folder / "full").mkdir()
    (dlm_desk.folder / "full" / "mine.txt").touch()
    done = dlm_desk.dlm("plugin", "new", *words, "--kind", "section-type")
    assert done.code == 2
    assert said in done.err
    assert sorted(path.name for path in dlm_desk.folder.rglob("*")) == ["full", "mine.txt"]


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def full(path: Path, text: str, **options: str) -> int:
        if path.name == "plugin.py":
            raise OSError(28, "No space left on device")
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        make_package("poem", "trainer", tmp_path / "dlm-poem")
    assert list(tmp_path.iterdir()) == []
