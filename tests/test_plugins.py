"""Discovery survives any plugin, names it, and keeps names that two plugins claim from everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Desk

POEM = """
from dlm_core import hookimpl
from dlm_core.api import Attr, SectionType, text_row


class Poem(SectionType):
    name = "poem"
    attrs = {"by": Attr(required=True)}

    def rows(self, section, doc):
        yield text_row(section.content, section.span)


@hookimpl
def dlm_section_types():
    return [Poem()]
"""

BROKEN = {
    "imports": ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
    "misspelt": (
        "from dlm_core import hookimpl\n\n\n@hookimpl\ndef dlm_trainer():\n    return []\n",
        "did you mean 'dlm_trainers'?",
    ),
    "newer": ("DLM_API = 99\n", "written for plugin API 99"),
    "raises": (
        "from dlm_core import hookimpl\n\n\n@hookimpl\ndef dlm_exporters():\n    raise ZeroDivisionError('boom')\n",
        "ZeroDivisionError: boom",
    ),
    "gives": (
        "from dlm_core import hookimpl\n\n\n@hookimpl\ndef dlm_trainers():\n    return ['poem']\n",
        "must give Trainer instances",
    ),
}


def install(site: Path, name: str, code: str, dist: str | None = None, version: str = "1.2") -> None:
    """Put a plugin on a folder of `sys.path` as an installer would."""
    dist = dist or f"dlm-{name}"
    module = f"{dist}_{name}".replace("-", "_")
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(code)
    info = site / f"{dist.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[dlm]\n{name} = {module}\n")


@pytest.fixture
def site(desk: Desk) -> tuple[Path, dict[str, str]]:
    folder = desk.folder / "site"
    return folder, {"PYTHONPATH": str(folder)}


def test_a_stranger_adds_a_section_type(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    path = desk.write('::poem by="Basho"::\nold pond\n')
    assert desk.dlm("check", path, "--json", env=env).json["rows"] == 1
    wrong = desk.dlm("check", desk.write("::poem::\nold pond\n"), env=env)
    assert wrong.code == 3
    assert "by" in wrong.err


def test_a_stranger_s_rows_train_at_once(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    path = desk.write('::poem by="Basho"::\nold pond, a frog leaps in\n')
    events = desk.dlm("train", path, "--json", env=env).events
    assert events[-1]["event"] == "commit"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_costs_only_itself(desk, site, name):
    folder, env = site
    code, reason = BROKEN[name]
    install(folder, name, code)
    assert desk.dlm("check", desk.write(), env=env).code == 0
    (found,) = [p for p in desk.dlm("plugins", "--json", env=env).json["plugins"] if p["name"] == name]
    assert (found["state"], found["distribution"], found["version"]) == ("failed", f"dlm-{name}", "1.2")
    assert reason in found["why"]
    assert reason in desk.dlm("plugins", "--why", name, env=env).out


def test_five_broken_plugins_at_once_leave_the_rest_working(desk, site):
    folder, env = site
    for name, (code, _) in BROKEN.items():
        install(folder, name, code)
    install(folder, "poem", POEM)
    assert desk.dlm("--help", env=env).code == 0
    assert desk.dlm("check", desk.write('::poem by="B"::\nfrog\n'), env=env).code == 0


def test_a_name_claimed_twice_belongs_to_nobody_until_one_is_disabled(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    install(folder, "verse", POEM)
    path = desk.write('::poem by="B"::\nfrog\n')
    refused = desk.dlm("check", path, env=env)
    assert refused.code == 5
    assert "claimed by poem (dlm-poem 1.2) and verse (dlm-verse 1.2)" in refused.err
    assert desk.dlm("-P", "no:verse", "check", path, env=env).code == 0
    assert desk.dlm("check", path, env={**env, "DLM_DISABLE_PLUGINS": "poem"}).code == 0


def test_two_plugins_of_one_name_are_both_listed(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    install(folder, "poem", POEM.replace('"poem"', '"ode"'), dist="dlm-zzz")
    found = [p for p in desk.dlm("plugins", "--json", env=env).json["plugins"] if p["name"] == "poem"]
    assert [p["state"] for p in found] == ["active", "failed"]
    assert "the name 'poem' is taken" in found[1]["why"]


def test_only_the_allowed_plugins_load(desk):
    found = desk.dlm("plugins", "--json", env={"DLM_PLUGINS": "tiny"}).json["plugins"]
    assert {p["name"]: p["state"] for p in found}["tiny"] == "active"
    assert {p["state"] for p in found if p["name"] not in ("core", "tiny")} == {"disabled"}


def test_a_disabled_plugin_is_told_from_a_missing_one(desk):
    path = desk.write(front="export: {default_quant: Q8_0}\n")
    assert desk.dlm("check", path).code == 0
    refused = desk.dlm("-P", "no:gguf", "check", path)
    assert refused.code == 5
    assert "disabled" in refused.err


def test_an_observer_that_raises_changes_nothing(desk, site):
    folder, env = site
    code = "from dlm_core import hookimpl\n\n\n@hookimpl\ndef dlm_event(event):\n    raise RuntimeError('nosy')\n"
    install(folder, "nosy", code)
    result = desk.dlm("plan", desk.write(), env=env)
    assert result.code == 0
    trained = desk.dlm("train", desk.write(training="  num_epochs: 1\n  learning_rate: 5e-3\n"), env=env)
    assert trained.code == 0
    assert "plugin nosy failed" in trained.err


def test_versions_of_plugins_are_kept_with_what_they_made(trained):
    import json

    desk, path, _ = trained
    store = Path(desk.dlm("show", path, "--json").json["store"])
    manifest = json.loads(next((store / "manifests").glob("*.json")).read_text())
    assert manifest["versions"]["dlm-tiny"] == "0.1.0"
