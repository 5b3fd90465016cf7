"""The conformance suite finds what is wrong with a plugin, rule by rule, and lets a sound one pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlm_core.testing import assert_light, complaints, conformance
from dlm_core.testing.rules import RULES
from dlm_core.testing.subject import load_subject

HEAD = "from dlm_core import hookimpl\nfrom dlm_core.api import *\n\n\n"
SECTION = """class Poem(SectionType):
    name = "{name}"
    help = "{help}"
    attrs = {{"by": Attr(doc="{doc}")}}

    def rows(self, section, doc):
        {rows}

@hookimpl
def dlm_section_types():
    return [Poem()]
"""
SCHEMA = "Command('poems', 'x', 'dlm_core.cli.schema:schema'"
SOUND = {"name": "poem", "help": "a poem", "doc": "its poet", "rows": "yield text_row(section.content, section.at(0))"}
CONFIG = """class Poems(ConfigBlock):
    path = "training.poems"

    def model(self):
        from pydantic import BaseModel, ConfigDict

        class Block(BaseModel):
            model_config = ConfigDict({config})
            {field}

        return Block

@hookimpl
def dlm_config_blocks():
    return [Poems()]
"""


def section(**changes: str) -> str:
    return SECTION.format(**{**SOUND, **changes})


def hook(name: str, given: str, before: str = "") -> str:
    return f"{before}\n@hookimpl\ndef {name}():\n    return [{given}]\n"


TRAINER = """class Rhymes(Trainer):
    phase = "rhymes"
    after = {after}
    consumes = frozenset({{"text"}})

    def wanted(self, doc, rows):
        return {wanted}

    def train(self, job):
        return TrainResult(job.out)
"""
READER = """class Verses(SourceReader):
    name = "verses"
    suffixes = frozenset({{"{suffix}"}})

    def read(self, data, name):
        yield "{kind}", data.decode("{codec}"), {{}}
"""
COMMAND = 'Command("count", "{help}", "{target}")'
SMELL = """class Smell(MediaKind):
    name = "smell"

    def probe(self, path):
        {probe}

    def load(self, blob, policy):
        return blob

    def fingerprint(self, policy):
        return {fingerprint}

    def control_input(self):
        return b""
"""
BASE = 'BaseModel("m", "{location}", "{revision}", 1, 2, 3, "f", "{license}", False, "small", {{}}, {recommended})'
POLICY = """class Own(PrecisionPolicy):
    name = "own"
    rank = {rank}

    def decide(self, hardware, base, doc):
        return Precision("fp32", "none", "{reason}")
"""
GOOD_BASE = {"location": "hub:a/b", "revision": "main", "license": "MIT", "recommended": '{"training.lora_r": 4}'}

#: rule -> (code of a module that breaks it, a part of the complaint)
WRONG: list[tuple[str, str, str]] = [
    ("it loads", "", "no function marked @hookimpl"),
    ("it loads", hook("dlm_trainer", ""), "did you mean 'dlm_trainers'"),
    ("it loads", hook("dlm_trainers", "'poem'"), "must give Trainer instances"),
    ("it loads", "DLM_API = 99\n" + section(), "written for plugin API 99"),
    (
        "it loads",
        "class P(SectionType):\n    name = 'p'\n" + hook("dlm_section_types", "P()"),
        "abstract method",
    ),
    ("it is light", "import click\n" + section(), "pulls in click"),
    ("names are well formed", section(name="My-Poem"), "'My-Poem' is not of the form"),
    ("it loads", section(name="prose"), "the section type 'prose' belongs to core"),
    ("config is strict", CONFIG.format(config="frozen=True", field="a: int = 1"), "must forbid unknown keys"),
    ("config is strict", CONFIG.format(config='extra="forbid"', field="a: int = 1"), "must not change"),
    ("config is strict", CONFIG.format(config='extra="forbid", frozen=True', field="a: int"), "it has no default"),
    (
        "config is strict",
        CONFIG.format(config='extra="forbid", frozen=True', field="a: int = 'x'"),
        "its own defaults are not valid",
    ),
    (
        "config is strict",
        CONFIG.format(config='extra="forbid", frozen=True', field="a: int = 1").replace(".poems", ".lora_r"),
        "finds no place",
    ),
    ("everything has help", section(help=""), "section type poem: no help"),
    ("everything has help", section(doc=""), "attribute by"),
    ("everything has help", hook("dlm_commands", COMMAND.format(help="", target="a:b")), "must be one line"),
    (
        "commands can be chosen",
        hook("dlm_commands", COMMAND.format(help="x", target="no.such:b")),
        "cannot be imported",
    ),
    (
        "commands can be chosen",
        hook("dlm_commands", COMMAND.format(help="x", target="dlm_core.api:Row")),
        "not a click command",
    ),
    (
        "commands can be chosen",
        "from pathlib import Path\n" + hook("dlm_commands", f"{SCHEMA}, Path('nowhere'))"),
        "no schema `KIND.json`",
    ),
    ("commands can be chosen", hook("dlm_commands", f"{SCHEMA}, 'nowhere')"), "'nowhere', not a path"),
    ("rows are sound", section(rows="yield 'text'"), "must yield Row and Problem"),
    ("rows are sound", section(rows="yield Row('text', {'words': 1}, section.span)"), "a text row needs"),
    ("rows are sound", section(rows="yield Row('chat', {'messages': []}, section.span)"), "a chat row needs"),
    ("rows are sound", section(rows="yield Row('k', {'x': {1, 2}}, section.span)"), "does not survive JSON"),
    ("rows are sound", section(rows="yield text_row(section.content, Span(0))"), "counts from 1"),
    (
        "rows are sound",
        section(rows="yield text_row(__import__('secrets').token_hex(), section.span)"),
        "other rows the second time",
    ),
    ("rows are sound", section(rows="yield text_row(section.content.split()[9], section.span)"), "IndexError"),
    ("rows are sound", section(rows="return iter(())"), "gives no row"),
    ("rows are sound", section(name="ode"), "give an example"),
    (
        "readers are forgiving",
        READER.format(suffix="TXT", kind="prose", codec="utf-8") + hook("dlm_source_readers", "Verses()"),
        "start with a dot",
    ),
    (
        "readers are forgiving",
        READER.format(suffix=".v", kind="ode", codec="utf-8") + hook("dlm_source_readers", "Verses()"),
        "nobody here provides",
    ),
    (
        "readers are forgiving",
        READER.format(suffix=".v", kind="prose", codec="none") + hook("dlm_source_readers", "Verses()"),
        "LookupError",
    ),
    (
        "trainers wait to be asked",
        TRAINER.format(after="()", wanted="bool(rows)") + hook("dlm_trainers", "Rhymes()"),
        "does not mention it",
    ),
    (
        "trainers wait to be asked",
        TRAINER.format(after="('rhymes',)", wanted="False") + hook("dlm_trainers", "Rhymes()"),
        "after itself",
    ),
    (
        "it loads",
        TRAINER.format(after="'sft'", wanted="True") + hook("dlm_trainers", "Rhymes()"),
        "Rhymes.after is 'sft', not a tuple of strings",
    ),
    (
        "trainers wait to be asked",
        TRAINER.format(after="('S F T',)", wanted="True") + hook("dlm_trainers", "Rhymes()"),
        "no phase's name",
    ),
    ("bases can be chosen", hook("dlm_base_models", BASE.format(**{**GOOD_BASE, "license": ""})), "no license"),
    ("bases can be chosen", hook("dlm_base_models", BASE.format(**{**GOOD_BASE, "revision": ""})), "no revision"),
    ("bases can be chosen", hook("dlm_base_models", BASE.format(**{**GOOD_BASE, "location": "here"})), "absolute path"),
    (
        "bases can be chosen",
        hook("dlm_base_models", BASE.format(**{**GOOD_BASE, "recommended": '{"training.rank": 4}'})),
        "recommended settings",
    ),
    (
        "media kinds identify themselves",
        SMELL.format(probe="return {}", fingerprint="'1'") + hook("dlm_media_kinds", "Smell()"),
        "finds nothing wrong",
    ),
    (
        "media kinds identify themselves",
        SMELL.format(probe="return path.read_bytes()", fingerprint="__import__('secrets').token_hex()")
        + hook("dlm_media_kinds", "Smell()"),
        "same text every time",
    ),
    (
        "policies give reasons",
        POLICY.format(rank=1, reason="") + hook("dlm_precision_policies", "Own()"),
        "no reason to print",
    ),
    (
        "policies give reasons",
        POLICY.format(rank=-200, reason="x") + hook("dlm_precision_policies", "Own()"),
        "core's own",
    ),
]


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes a module of some code importable and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(code: str) -> str:
        name = f"stranger_{abs(hash(request.node.name))}"
        (tmp_path / f"{name}.py").write_text(HEAD + code, encoding="utf-8")
        request.addfinalizer(lambda: sys.modules.pop(name, None))
        return name

    return make


def found(rule: str, module: str) -> list[str]:
    return list(complaints(rule, load_subject(module, {"poem": '::poem by="B"::\nold pond\n'})))


@pytest.mark.parametrize(("rule", "code", "said"), WRONG, ids=[f"{rule}: {said}" for rule, _, said in WRONG])
def test_a_rule_finds_what_breaks_it(stranger, rule: str, code: str, said: str):
    assert said in "\n".join(found(rule, stranger(code)))


def test_every_rule_that_needs_no_package_is_broken_by_something():
    assert {rule for rule, _, _ in WRONG} == set(RULES) - {"it is typed"}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_sound_plugin_breaks_no_rule(stranger, rule: str):
    assert found(rule, stranger(section())) == []


def test_a_package_without_py_typed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "untyped_stranger").mkdir()
    (tmp_path / "untyped_stranger" / "__init__.py").touch()
    (tmp_path / "untyped_stranger" / "plugin.py").write_text(HEAD + section())
    assert "py.typed" in found("it is typed", "untyped_stranger.plugin")[0]


def test_light_means_light(stranger):
    name = stranger(section())
    assert_light(name)
    with pytest.raises(AssertionError, match=r"pulls in .*yaml"):
        assert_light("dlm_core.document.yaml_text")


def test_the_suite_is_one_line_and_says_which_rule(stranger):
    test = conformance(stranger(section(help="")), examples={"poem": "::poem::\nfrog"})
    (mark,) = [mark for mark in test.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert mark.args == ("rule", sorted(RULES))
    with pytest.raises(pytest.fail.Exception, match="breaks the rule 'everything has help'"):
        test("everything has help")


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("module", ["dlm_hf.plugin", "dlm_tiny.plugin", "dlm_gguf.plugin"])
def test_the_plugins_of_this_project_conform(module: str, rule: str):
    pytest.importorskip(module)
    talk = '::conversation::\n[{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Oda."}]'
    subject = load_subject(module, {"conversation": talk}, trains_plain_documents=True)
    assert list(complaints(rule, subject)) == []
