"""What a user is told who names a thing that no plugin at work provides: one hint for each reason and kind."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.conftest import Desk
from tests.test_plugins import HEAD, install

#: kind -> (code of a plugin `NAME` that provides `thing`, the command that names it, what the plain error says)
PARTS = {
    "section type": (
        "from dlm_core.api import SectionType\nclass It(SectionType):\n    name = 'walrus'\n"
        "    def rows(self, section, doc):\n        return ()\n",
        "dlm_section_types",
        "It()",
        ["check", "DOC"],
    ),
    "config block": (
        "from dlm_core.api import ConfigBlock\nclass It(ConfigBlock):\n    path = 'training.walrus'\n"
        "    def model(self):\n        from pydantic import ConfigDict, create_model\n"
        "        return create_model('It', __config__=ConfigDict(extra='forbid', frozen=True), x=(int, 1))\n",
        "dlm_config_blocks",
        "It()",
        ["check", "DOC"],
    ),
    "exporter": (
        "from dlm_core.api import Exporter\nclass It(Exporter):\n    name = 'walrus'\n"
        "    def export(self, job):\n        return ()\n",
        "dlm_exporters",
        "It()",
        ["run", "DOC", "--export", "walrus"],
    ),
    "runner": (
        "from dlm_core.api import Runner\nclass It(Runner):\n    name = 'walrus'\n"
        "    def run(self, *a):\n        return ()\n    def train(self, *a):\n        return ()\n",
        "dlm_runners",
        "It()",
        ["train", "DOC", "--runner", "walrus"],
    ),
    "base model": (
        "from dlm_core.api import BaseModel\n",
        "dlm_base_models",
        "BaseModel('walrus', '/nowhere')",
        ["init", "new.dlm", "--base", "walrus"],
    ),
    "command": (
        "from dlm_core.api import Command\n",
        "dlm_commands",
        "Command('walrus', 'does', 'dlm_core.cli.completion:completion')",
        ["walrus", "bash"],
    ),
}


def provider(kind: str) -> str:
    code, hook, value, _ = PARTS[kind]
    return f"{HEAD}{code}@hookimpl\ndef {hook}():\n    return [{value}]\n"


def words(desk: Desk, kind: str) -> list[str]:
    """The command that names the thing, with a document that needs it."""
    front = "  walrus: {x: 2}\n" if kind == "config block" else ""
    body = "::walrus::\ntext\n" if kind == "section type" else "text\n"
    path = desk.write(body, f"  num_epochs: 1\n{front}")
    return [str(path) if word == "DOC" else word for word in PARTS[kind][3]]


@pytest.fixture
def site(desk):
    return desk.folder / "site", {"PYTHONPATH": str(desk.folder / "site")}


@pytest.mark.parametrize("kind", PARTS)
def test_a_thing_claimed_twice(desk, site, kind):
    folder, env = site
    install(folder, "one", provider(kind))
    install(folder, "two", provider(kind))
    refused = desk.dlm(*words(desk, kind), env=env)
    assert refused.code == 5, refused.err
    assert "claimed by one (dlm-one 1.2) and two (dlm-two 1.2)" in refused.err
    (proposed,) = re.findall(r"`(dlm -P .*?)`", refused.err)
    assert shlex.split(proposed) == ["dlm", "-P", "no:two", *words(desk, kind)]
    again = desk.dlm(*shlex.split(proposed)[1:], env=env)
    assert "claimed by" not in again.err


@pytest.mark.parametrize("kind", PARTS)
def test_a_thing_of_a_disabled_plugin(desk, site, kind):
    folder, env = site
    install(folder, "one", provider(kind))
    refused = desk.dlm("-P", "no:one", *words(desk, kind), env=env)
    assert refused.code == 5, refused.err
    assert "perhaps provided by one (dlm-one 1.2), which is disabled here by `-P no:one`" in refused.err


@pytest.mark.parametrize("kind", PARTS)
def test_a_thing_of_a_plugin_that_failed(desk, site, kind):
    folder, env = site
    install(folder, "one", "import nothing_of_that_name\n")
    refused = desk.dlm(*words(desk, kind), env=env)
    assert refused.code == 5, refused.err
    assert "perhaps provided by one (dlm-one 1.2), which failed: ModuleNotFoundError" in refused.err
    (proposed,) = set(re.findall(r"`(dlm plugins .*?)`", refused.err))
    assert desk.dlm(*shlex.split(proposed)[1:], env=env).code == 0


@pytest.mark.parametrize("kind", PARTS)
def test_a_thing_nobody_knows(desk, kind):
    refused = desk.dlm(*words(desk, kind))
    assert refused.code in (2, 3), refused.err
    assert "provided by" not in refused.err


@pytest.mark.parametrize(
    ("plugin", "arguments", "front"),
    [
        ("gguf", ["run", "DOC", "--export", "gguf"], ""),
        ("hf", ["run", "DOC", "--export", "merged"], ""),
        ("gguf", ["check", "DOC"], "export: {default_quant: Q8_0}\n"),
        ("tiny", ["check", "DOC"], ""),
        ("tiny", ["init", "new.dlm", "--base", "tiny"], ""),
        ("hf", ["train", "DOC"], ""),
    ],
)
def test_a_thing_of_this_project(desk, plugin, arguments, front):
    given = [str(desk.write("text\n", front=front)) if word == "DOC" else word for word in arguments]
    off = desk.dlm("-P", f"no:{plugin}", *given)
    assert off.code == 5, off.err
    assert f"provided by {plugin} (dlm-{plugin} 0.1.0), which is disabled here by `-P no:{plugin}`" in off.err
    gone = desk.dlm(*given, env=without(desk, plugin))
    assert gone.code == 5, gone.err
    assert f"provided by dlm-{plugin}, which is not installed: `pip install dlm-{plugin}`" in gone.err


@pytest.mark.parametrize("name", ["gguf", "dlm-gguf"])
def test_why_of_what_is_not_installed(desk, name):
    why = ["plugins", "--why", name]
    said = "not installed; to install it: `pip install dlm-gguf`"
    assert f"gguf: {said}\n" in desk.dlm(*why, env=without(desk, "gguf")).out
    (one,) = desk.dlm(*why, "--json", env=without(desk, "gguf")).json["plugins"]
    assert (one["name"], one["state"], one["why"]) == ("gguf", "absent", said)
    assert "gguf-lora" in one["provides"]["exporter"]


def without(desk: Desk, plugin: str) -> dict[str, str]:
    """An environment in which a distribution of this project is not found: an empty one of its name comes first."""
    info = desk.folder / "empty" / f"dlm_{plugin}-0.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "entry_points.txt").write_text("")
    return {"PYTHONPATH": str(desk.folder / "empty")}
