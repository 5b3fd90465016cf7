"""Discovery survives any plugin, names it, and keeps names that two plugins claim from everybody."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dlm_core import api
from dlm_core.plugins.attributes import KINDS, attributes_of
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

HEAD = "from dlm_core import hookimpl\n"
BROKEN = {
    "imports": ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
    "misspelt": (HEAD + "@hookimpl\ndef dlm_trainer():\n    return []\n", "did you mean 'dlm_trainers'?"),
    "of_nobody": (
        HEAD + "@hookimpl\ndef dlm_far_too_strange_a_name():\n    return []\n",
        "neither core nor a plugin at work opens one of this name",
    ),
    "argument": (HEAD + "@hookimpl\ndef dlm_trainers(nothing):\n    return []\n", "'nothing'"),
    "newer": ("DLM_API = 99\n", "written for plugin API 99"),
    "raises": (
        HEAD + "@hookimpl\ndef dlm_exporters():\n    raise ZeroDivisionError('boom')\n",
        "ZeroDivisionError: boom",
    ),
    "gives": (HEAD + "@hookimpl\ndef dlm_trainers():\n    return ['poem']\n", "must give Trainer instances"),
    "gives_one": (
        HEAD + "@hookimpl\ndef dlm_runners():\n    return 7\n",
        "must give a list of Runner instances, not 7",
    ),
    "half": (
        HEAD + "@hookimpl\ndef dlm_base_models():\n    from dlm_core.api import BaseModel\n"
        "    yield BaseModel('half', '/half')\n    raise OSError('half way')\n",
        "half way",
    ),
    "exits": ("import sys\nsys.exit(0)\n", "it called sys.exit(0)"),
    "exits_later": (HEAD + "@hookimpl\ndef dlm_commands():\n    raise SystemExit(3)\n", "it called sys.exit(3)"),
    "interrupts": ("raise KeyboardInterrupt\n", "it raised KeyboardInterrupt"),
    "nameless": (
        HEAD
        + "from dlm_core.api import Command\n@hookimpl\ndef dlm_commands():\n    return [Command('', '', 'a:b')]\n",
        "Command.name is '', not a name",
    ),
    "wrong_kind": (
        HEAD + "from dlm_core.api import BaseModel\n@hookimpl\ndef dlm_base_models():\n"
        "    return [BaseModel('wrong', '/wrong', accepts=['smell'])]\n",
        "BaseModel.accepts is ['smell'], not a mapping of names to mappings",
    ),
    "lacks": (
        HEAD + "from dlm_core.api import SourceReader\nclass Reader(SourceReader):\n    name = 'lacks'\n"
        "    def read(self, data, name):\n        return iter(())\n"
        "@hookimpl\ndef dlm_source_readers():\n    return [Reader()]\n",
        "Reader has no suffixes: it must be a set of strings",
    ),
    "takes_core": (
        HEAD + "from dlm_core.api import Command\n@hookimpl\ndef dlm_commands():\n"
        "    return [Command('run', '', 'a:b')]\n",
        "the command 'run' belongs to core",
    ),
    "mutates": (
        HEAD + "@hookimpl\ndef dlm_engines(plugins):\n    plugins.section_types.items_by_name.clear()\n    return []\n",
        "has no attribute 'clear'",
    ),
}


def install(site: Path, name: str, code: str, dist: str | None = None, version: str = "1.2") -> None:
    """Put a plugin on a folder of `sys.path` as an installer would."""
    dist = dist or f"dlm-{name.replace('_', '-')}"
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
    assert "commit" in [event["event"] for event in events]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_costs_only_itself(desk, site, name):
    folder, env = site
    code, reason = BROKEN[name]
    install(folder, name, code)
    assert desk.dlm("check", desk.write(), env=env).code == 0
    (found,) = [p for p in desk.dlm("plugins", "--json", env=env).json["plugins"] if p["name"] == name]
    assert (found["state"], found["distribution"], found["version"]) == (
        "failed",
        f"dlm-{name.replace('_', '-')}",
        "1.2",
    )
    assert reason in found["why"]
    assert reason in desk.dlm("plugins", "--why", name, env=env).out


def test_all_the_broken_plugins_at_once_leave_the_rest_working(desk, site):
    folder, env = site
    for name, (code, _) in BROKEN.items():
        install(folder, name, code)
    install(folder, "poem", POEM)
    install(folder, "poem", POEM, dist="dlm-same-name")
    install(folder, "one", POEM.replace('"poem"', '"ode"'))
    install(folder, "two", POEM.replace('"poem"', '"ode"'))
    assert desk.dlm("--help", env=env).code == 0
    path = desk.write('::poem by="B"::\nold pond, a frog leaps in\n', training="  num_epochs: 1\n")
    run = desk.dlm("run", path, "--no-export", env=env)
    assert run.code == 0, run.err
    listed = desk.dlm("plugins", "--json", env=env).json
    found = {(p["name"], p["distribution"]): p for p in listed["plugins"]}
    for name, (_, reason) in BROKEN.items():
        one = found[name, f"dlm-{name.replace('_', '-')}"]
        assert (one["state"], one["version"], reason in one["why"]) == ("failed", "1.2", True), one
        assert f"plugin {name} (dlm-{name.replace('_', '-')} 1.2)" in run.err or one["hooks"], run.err
    assert found["poem", "dlm-poem"]["state"] == "active"
    assert "taken by poem (dlm-poem 1.2)" in found["poem", "dlm-same-name"]["why"]
    assert listed["clashes"] == [
        {"kind": "section type", "name": "ode", "by": ["one (dlm-one 1.2)", "two (dlm-two 1.2)"]}
    ]
    assert "section type ode is claimed by" in desk.dlm("plugins", env=env).out


def test_an_optional_hook_that_nobody_opens_costs_nothing(desk, site):
    folder, env = site
    install(folder, "poem", POEM + "\n\n@hookimpl(optionalhook=True)\ndef dlm_rhymes():\n    return ['pond']\n")
    assert desk.dlm("check", desk.write('::poem by="B"::\nold pond\n'), env=env).code == 0


def test_what_a_plugin_prints_is_not_in_the_report(desk, site):
    folder, env = site
    install(folder, "loud", "print('hello')\n" + HEAD + "@hookimpl\ndef dlm_commands():\n    print('hello again')\n")
    result = desk.dlm("plugins", "--json", env=env)
    assert {p["name"]: p["state"] for p in result.json["plugins"]}["loud"] == "active"
    assert "hello\n" in result.err


def test_a_slow_import_is_named(desk, site):
    folder, env = site
    install(folder, "slow", "import time\ntime.sleep(0.3)\n")
    assert "importing it took 0.3 s of every command" in desk.dlm("plugins", "--why", "slow", env=env).out


def test_damaged_metadata_costs_only_its_distribution(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    install(folder, "latin", POEM)
    (folder / "dlm_latin-1.2.dist-info" / "entry_points.txt").write_bytes(b"[dlm]\nf\xfc\xdfe = nowhere\n")
    install(folder, "bare", POEM)
    (folder / "dlm_bare-1.2.dist-info" / "entry_points.txt").write_text("[dlm\nno value\n[dlm]\nnothing here\n= x\n")
    install(folder, "folder", POEM)
    (folder / "dlm_folder-1.2.dist-info" / "entry_points.txt").unlink()
    (folder / "dlm_folder-1.2.dist-info" / "entry_points.txt").mkdir()
    install(folder, "attribute", POEM)
    (folder / "dlm_attribute-1.2.dist-info" / "entry_points.txt").write_text(
        "[dlm]\nattribute = dlm_poem_poem:Nothing\n"
    )
    (folder / "~lm_poem-1.1.dist-info").mkdir()
    (folder / "~lm_poem-1.1.dist-info" / "entry_points.txt").write_text("[dlm]\npoem = gone\n")
    (folder / "dlm_poem-1.2.dist-info" / "METADATA").unlink()
    result = desk.dlm("plugins", "--json", env=env)
    assert result.code == 0, result.err
    found = {p["distribution"]: p for p in result.json["plugins"]}
    assert found["dlm-poem"]["state"] == "active"
    assert {name for name, p in found.items() if p["state"] == "failed"} == {"dlm-latin", "dlm-bare", "dlm-attribute"}
    assert "names no module" in found["dlm-bare"]["why"]
    assert "Nothing" in found["dlm-attribute"]["why"]


def test_a_distribution_installed_twice_is_one(desk, site):
    folder, _ = site
    install(folder, "poem", POEM)
    install(desk.folder / "later", "poem", POEM, version="1.1")
    env = {"PYTHONPATH": f"{folder}:{desk.folder / 'later'}"}
    found = [p for p in desk.dlm("plugins", "--json", env=env).json["plugins"] if p["name"] == "poem"]
    assert [(p["version"], p["state"]) for p in found] == [("1.2", "active")]


def test_a_name_claimed_twice_belongs_to_nobody_until_one_is_disabled(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    install(folder, "verse", POEM)
    path = desk.write('::poem by="B"::\nfrog\n')
    refused = desk.dlm("check", path, env=env)
    assert refused.code == 5
    assert "claimed by poem (dlm-poem 1.2) and verse (dlm-verse 1.2)" in refused.err
    (hint,) = re.findall("`(dlm -P .*)`", refused.err)
    assert shlex.split(hint) == ["dlm", "-P", "no:verse", "check", str(path)]
    assert desk.dlm(*shlex.split(hint)[1:], env=env).code == 0
    assert desk.dlm("check", path, env={**env, "DLM_DISABLE_PLUGINS": "poem"}).code == 0


def test_two_plugins_of_one_name_are_both_listed(desk, site):
    folder, env = site
    install(folder, "poem", POEM)
    install(folder, "poem", POEM.replace('"poem"', '"ode"'), dist="dlm-zzz")
    found = [p for p in desk.dlm("plugins", "--json", env=env).json["plugins"] if p["name"] == "poem"]
    assert [p["state"] for p in found] == ["active", "failed"]
    assert "the name 'poem' is taken" in found[1]["why"]
    told = desk.dlm("plugins", "--why", "poem", env=env).out
    assert "poem (dlm-poem 1.2): active" in told
    assert "poem (dlm-zzz 1.2): failed" in told
    both = desk.dlm("-P", "no:poem", "plugins", "--json", env=env).json["plugins"]
    assert [p["state"] for p in both if p["name"] == "poem"] == ["disabled", "disabled"]


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


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["-P", "no:gguff"], {}, "-P no:gguff: there is no plugin 'gguff'; did you mean 'gguf'?"),
        (["-P", "no:core"], {}, "-P no:core: core is part of DLM and cannot be left out"),
        ([], {"DLM_DISABLE_PLUGINS": "hff"}, "DLM_DISABLE_PLUGINS=hff: there is no plugin 'hff'; did you mean 'hf'?"),
        ([], {"DLM_DISABLE_PLUGINS": "core"}, "core is part of DLM"),
        ([], {"DLM_PLUGINS": "core,hf,tinny"}, "DLM_PLUGINS=tinny: there is no plugin 'tinny'; did you mean 'tiny'?"),
    ],
)
def test_a_choice_without_effect_is_told_once(desk, arguments, env, said):
    result = desk.dlm(*arguments, "plugins", "--json", env=env)
    assert result.code == 0
    (warning,) = [line for line in result.err.splitlines() if line.startswith("warning")]
    assert said in warning


@pytest.mark.parametrize(
    ("name", "env", "code", "said"),
    [
        ("gguf", {}, 0, "exporter: gguf, gguf-lora"),
        ("dlm-gguf", {}, 0, "config block: export.default_quant"),
        ("gguf", {"DLM_DISABLE_PLUGINS": "gguf"}, 0, "disabled by the environment variable DLM_DISABLE_PLUGINS"),
        ("gguf", {"DLM_PLUGINS": "hf"}, 0, "DLM_PLUGINS, which does not name it"),
        ("ggfu", {}, 2, "did you mean 'gguf'?"),
    ],
)
def test_why_says_what_became_of_a_plugin(desk, name, env, code, said):
    result = desk.dlm("plugins", "--why", name, env=env)
    assert (result.code, said in result.out + result.err) == (code, True), result


BLOCK = (
    HEAD + "import pydantic\nfrom dlm_core.api import ConfigBlock\nclass Model(pydantic.BaseModel):\n    x: int = 1\n"
    "class Block(ConfigBlock):\n    path = 'PATH'\n    def model(self):\n        return Model\n"
    "@hookimpl\ndef dlm_config_blocks():\n    return [Block()]\n"
)


def test_keys_of_two_plugins_that_overlap(desk, site):
    folder, env = site
    for name, key in (("outer", "training.nest"), ("twin", "training.nest.x"), ("egg", "training.wood.egg")):
        install(folder, name, BLOCK.replace("PATH", key))
    listed = desk.dlm("plugins", env=env).out
    assert "config block training.nest.x is claimed by outer (dlm-outer 1.2) and twin (dlm-twin 1.2)" in listed
    lost = "config block `training.wood.egg` of egg (dlm-egg 1.2) lies in `training.wood`, which no plugin at work"
    assert lost in " ".join(listed.split())
    assert lost in desk.dlm("plugins", "--why", "egg", env=env).out
    path = desk.write(training="  nest: {x: 2}\n")
    refused = desk.dlm("check", path, env=env)
    assert (refused.code, "error[DLM0304]: `training.nest.x` is claimed by two" in refused.err) == (5, True)
    assert desk.dlm("-P", "no:twin", "check", path, env=env).code == 0


def test_why_names_the_option_that_disabled(desk):
    assert "disabled by `-P no:gguf`" in desk.dlm("-P", "no:gguf", "plugins", "--why", "gguf").out


def test_an_observer_that_changes_what_it_is_told_changes_nothing(desk, site):
    folder, env = site
    install(folder, "rude", HEAD + "@hookimpl\ndef dlm_event(event):\n    event.data.clear()\n")
    events = desk.dlm("train", desk.write(training="  num_epochs: 1\n"), "--json", env=env).events
    (commit,) = [event for event in events if event["event"] == "commit"]
    assert commit["version"] == 1


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


@pytest.mark.parametrize(
    "interface",
    [
        api.BaseModel,
        api.Command,
        api.ConfigBlock,
        api.Engine,
        api.Explanation,
        api.Exporter,
        api.MediaKind,
        api.PrecisionPolicy,
        api.Runner,
        api.SectionType,
        api.SourceReader,
        api.Trainer,
    ],
)
def test_every_attribute_of_an_interface_is_checked(interface):
    assert set(attributes_of(interface).values()) <= set(KINDS)
