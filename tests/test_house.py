"""The rules of the house: who may import whom, what is pinned where, what CI runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "dlm_core").rglob("*.py"))
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
HEAVY = {"torch", "transformers", "peft", "trl", "numpy", "safetensors", "tokenizers", "huggingface_hub"}


def imports(path: Path) -> set[str]:
    """Top-level names of every absolute import in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_imports_no_plugin_and_nothing_heavy(path):
    packages = {folder.name.replace("-", "_") for folder in PLUGINS}
    assert not imports(path) & (packages | HEAVY)


def test_core_names_a_plugin_in_one_table_only():
    names = re.compile(r"\bdlm[-_](hf|tiny|gguf|docs|cpt|preference|gate|image|audio)\b")
    naming = [path.name for path in CORE if names.search(path.read_text(encoding="utf-8"))]
    assert naming == ["known.py"]


#: Where kinds of media are named all the same: what plugins give, the page about one that is missing, and
#: what each version of the format brought.
NAMED = {
    "dlm_core/plugins/known.py",
    "dlm_core/explanations/DLM0301.md",
    "dlm_core/document/versions.py",
}
KINDS = re.compile(r"image|audio|picture|(?<![a-z])vision|waveform|spectrogram", re.IGNORECASE)


def texts_of_core_and_engine() -> list[Path]:
    """Code, and whatever else is installed with it: pages, schemas, templates, styles."""
    files = [path for name in ("dlm_core", "plugins/dlm-hf/dlm_hf") for path in (ROOT / name).rglob("*")]
    return sorted(path for path in files if path.is_file() and "__pycache__" not in path.parts)


def test_core_and_engine_know_no_kind_of_media_by_name():
    """Not in code, nor in any other file that comes with it: a stranger's kind is as good as any."""
    named = {
        str(path.relative_to(ROOT)): found.group()
        for path in texts_of_core_and_engine()
        if (found := KINDS.search(f"{path.name}\n{path.read_text(encoding='utf-8')}"))
    }
    assert {path: word for path, word in named.items() if path not in NAMED} == {}


def test_a_kind_of_media_would_be_seen_by_whatever_name():
    seen = 'images: list; "image/png"; is_image(x); ImageKind; load_audio; AUDIO; a picture; Vision2Seq; vision_config'
    assert len(KINDS.findall(seen)) == 9
    assert not KINDS.search("imagine a supervision; revision; provisional")
    suffixes = {path.suffix for path in texts_of_core_and_engine()}
    assert {".py", ".md", ".json", ".css"} <= suffixes


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_no_other_plugin_s_insides(folder):
    mine = folder.name.replace("-", "_")
    others = {other.name.replace("-", "_") for other in PLUGINS} - {mine}
    needs = tomli.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    if any(Requirement(need).name == "dlm-hf" for need in needs):
        others.discard("dlm_hf")
    for path in (folder / mine).rglob("*.py"):
        assert not imports(path) & others, path
        assert modules(path, "dlm_hf") <= TOOLBOX or mine == "dlm_hf", path


#: The toolbox of dlm-hf, for plugins that train and depend on it: listed in its README.
TOOLBOX = {
    f"dlm_hf.{name}"
    for name in [
        "batches",
        "checkpoints",
        "failures",
        "features",
        "imports",
        "loading",
        "loop",
        "loss",
        "modalities",
        "phase",
        "sft",
        "testing",
        "tokens",
        "trainers",
    ]
}


def test_the_toolbox_is_in_the_readme():
    readme = (ROOT / "plugins/dlm-hf/README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in TOOLBOX)


#: What a plugin may import from core: the interfaces, and helpers that docs/reference/hooks.md lists.
PUBLIC = {
    f"dlm_core.{name}"
    for name in [
        "hookimpl",
        "api",
        "files",
        "clock",
        "cache",
        "testing",
        "headers",
        "media",
        "commands",
        "editing",
        "neutral",
        "serving",
    ]
}


def imports_of_core(path: Path) -> set[str]:
    return modules(path, "dlm_core")


def modules(path: Path, package: str) -> set[str]:
    """Dotted names of the modules of a package that a file imports, or takes names from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            within = {f"{package}.{alias.name}" for alias in node.names}
            found |= within if node.module == package else {node.module}
    return {name for name in found if name.partition(".")[0] == package}


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_of_core_what_is_public(folder):
    for path in (folder / folder.name.replace("-", "_")).rglob("*.py"):
        inner = {name for name in imports_of_core(path) if ".".join(name.split(".")[:2]) not in PUBLIC}
        assert not inner, path


def test_what_is_public_is_on_the_page_for_authors():
    page = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in PUBLIC)


@pytest.mark.parametrize("path", [ROOT, *PLUGINS], ids=lambda path: path.name)
def test_every_dependency_has_a_tested_version_inside_its_bounds(path):
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    project = tomli.loads((path / "pyproject.toml").read_text())["project"]
    for need in project["dependencies"]:
        requirement = Requirement(need)
        name = requirement.name.lower().replace("_", "-")
        if name.startswith("dlm-"):
            continue
        assert any(part.operator == "<" for part in requirement.specifier), f"{need} has no upper bound"
        assert requirement.specifier.contains(tested[name]), f"{need} does not admit the tested {tested[name]}"


def test_ci_runs_the_second_command_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, flags=re.S | re.M)
    assert blocks[1].strip() in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("path", [ROOT / "dlm_core", *(p / p.name.replace("-", "_") for p in PLUGINS)], ids=str)
def test_every_package_is_typed(path):
    assert (path / "py.typed").is_file()


def test_files_stay_readable():
    files = [*CORE, *(path for folder in PLUGINS for path in folder.rglob("*.py"))]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := path.read_text().count("\n")) > 420}
    assert not long
