"""Every command that a hint proposes is executed: all of them are found in the source, none is left untried."""

from __future__ import annotations

import ast
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import dlm_image.plugin
import dlm_preference.plugin
from dlm_core import hookimpl
from dlm_core.api import Document, Row, Section, SectionType, text_row
from dlm_core.plugins.known import KNOWN
from dlm_core.testing.desk import Desk, Result
from dlm_hf.imports import EXTRAS
from dlm_hf.testing import make_small_reward_model
from tests.conftest import ID
from tests.conftest import Desk as ByHand

ROOT = Path(__file__).parents[1]
#: In backquotes, or at the start of a text that is all command.
COMMAND = re.compile(r"(?:^|`)(dlm (?![%{]\(?_?_?version)[^`;,]+)")
INSTALL = re.compile(r"pip install (?:--?[\w-]+ )*['\"]?([^\s'\"`]+)")
OPTION = re.compile(r"`(--?[a-zA-Z][^`]*)`")


def texts() -> Iterator[str]:
    """Every text of the source that is no docstring; what is filled in later stands as `{expression}`."""
    for path in sorted([*(ROOT / "dlm_core").rglob("*.py"), *(ROOT / "plugins").glob("*/dlm_*/**/*.py")]):
        if "plugin_templates" not in path.parts:
            yield from _texts_of(ast.parse(path.read_text(encoding="utf-8")))


def _texts_of(tree: ast.Module) -> Iterator[str]:
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_part, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            yield node.value


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return f"{{{ast.unparse(part.value)}}}"
    assert isinstance(part, ast.Constant)
    return str(part.value)


TEXTS = tuple(texts())


def found(pattern: re.Pattern[str]) -> set[str]:
    return {match for text in TEXTS for match in pattern.findall(text)}


# -- what each proposal looks like when it is filled in, and what shows that it did what it promises --------------

Shown = Callable[[Result, Desk], bool]


def said(*words: str) -> Shown:
    return lambda result, _: all(word in result.out for word in words)


def trained(_result: Result, desk: Desk) -> bool:
    return any((desk.folder.parent / "home").rglob("HEAD"))


def made(_result: Result, desk: Desk) -> bool:
    return "base_model: null-base" in (desk.folder / "NEW.dlm").read_text()


def mended(_result: Result, desk: Desk) -> bool:
    return "num_epochs: 2" in (desk.folder / "wrong.dlm").read_text()


def fetched(_result: Result, desk: Desk) -> bool:
    return (desk.folder.parent / "home" / "null-bases" / "null-base").is_dir()


def answered(result: Result, _desk: Desk) -> bool:
    return bool(result.out.strip())


def five(_result: Result, desk: Desk) -> bool:
    return "num_epochs: 5" in (desk.folder / "notes.dlm").read_text()


BASES = said("null-base")
MINED = said("mining run 1: 1 answers to 1 questions")
#: Proposal as it stands in the source -> (what is typed, what is to be seen of it).
FILLED: dict[str, tuple[str, Shown]] = {
    "dlm --help": ("--help", said("run", "check")),
    "dlm bases": ("bases", BASES),
    "dlm bases --fetch {base.key}": ("bases --fetch null-base", fetched),
    "dlm check": ("check notes.dlm", said("notes.dlm")),
    "dlm check DOCUMENT --sources": ("check notes.dlm --sources", said("taken", "a.txt")),
    "dlm check {name} --sources": ("check notes.dlm --sources", said("taken", "a.txt")),
    "dlm check {shlex.quote(_clean(str(path)))} --fix": ("check wrong.dlm --fix", mended),
    "dlm explain": ("explain", said("DLM0101  unknown key")),
    "dlm explain {codes[0]}": ("explain DLM0101", said("unknown key")),
    "dlm export --list": ("export --list", said("adapter")),
    "dlm export DOCUMENT --list": ("export notes.dlm --list", said("adapter")),
    "dlm export DOCUMENT gguf": ("export notes.dlm adapter", said("adapter")),
    "dlm export DOCUMENT merged": ("export notes.dlm adapter", said("adapter")),
    "dlm init": ("init NEW.dlm --base null-base", made),
    "dlm init NEW.dlm": ("init NEW.dlm --base null-base", made),
    "dlm init notes.dlm": ("init NEW.dlm --base null-base", made),
    "dlm migrate": ("migrate old.dlm", said("version 12 is now")),
    "dlm plan": ("plan notes.dlm", said("null-base")),
    "dlm plugins": ("plugins", said("null")),
    "dlm plugins --why {shlex.quote(plugin.name)}": ("plugins --why null", said("null")),
    "dlm preference mine": ("preference mine asked.dlm", MINED),
    "dlm preference mine DOCUMENT": ("preference mine asked.dlm", MINED),
    "dlm prompt": ('prompt notes.dlm "your question"', answered),
    'dlm prompt DOCUMENT "your question"': ('prompt notes.dlm "your question"', answered),
    "dlm rollback": ("rollback notes.dlm", said("1")),
    "dlm run": ("run notes.dlm", trained),
    "dlm run DOCUMENT": ("run notes.dlm", trained),
    "dlm run --fresh": ("run notes.dlm --fresh", trained),
    "dlm run {name}": ("run notes.dlm", trained),
    "dlm run {shown}": ("run known", trained),
    "dlm run {shown} --base KEY": ("run texts --base null-base", trained),
    "dlm set {name} training.num_epochs 5": ("set notes.dlm training.num_epochs 5", five),
    "dlm show": ("show notes.dlm", said("version")),
    "dlm show DOCUMENT --why PATH": ("show notes.dlm --why texts/a.txt", said("taken")),
    "dlm show {name}": ("show notes.dlm", said("version")),
    "dlm tokens": ("tokens notes.dlm", said("row", "tokens")),
    "dlm tokens {shlex.quote(f'{path}:{near.first}')}": ("tokens notes.dlm:9", said("line 9")),
    "dlm train": ("train notes.dlm", trained),
    "dlm trust": ("trust notes.dlm", said("notes.dlm may read: texts")),
    "dlm trust {shlex.quote(str(doc.path))}": ("trust notes.dlm", said("notes.dlm may read: texts")),
    "dlm {name} --help": ("run --help", said("Usage")),
}
FRONT = "training:\n  sources:\n    - path: texts\n"
JUDGE = """import json, sys
print(json.dumps({"score": len(json.load(sys.stdin)["candidate"])}))"""
#: Proposals about what was trained: two versions are there before.
AFTER = ("export", "preference", "prompt", "rollback", "show")
#: Proposals that need the base to be on the machine.
FETCHED = ("plan",)


def prepare(desk: Desk) -> None:
    """A right document with a source, a wrong one, a folder to learn from, and a folder with its document."""
    (desk.folder / "texts").mkdir()
    (desk.folder / "texts" / "a.txt").write_text("A line from a file.\n")
    desk.write("A line.\n", FRONT)
    desk.write("A line.\n", "training:\n  num_epoch: 2\n", "wrong.dlm")
    desk.write("A line.\n", "dlm_version: 12\n", "old.dlm")
    desk.write("::instruction::\n### Q\nWho?\n### A\nOda Vell.\n", name="asked.dlm")
    desk.use(dlm_preference.plugin).use(dlm_image.plugin)


def run_twice(desk: Desk) -> None:
    """Two versions of the documents that are asked something."""
    for name in ("notes.dlm", "asked.dlm"):
        assert desk.dlm("run", name).code == 0
        assert desk.dlm("run", name, "--force").code == 0


@pytest.mark.parametrize("proposal", FILLED)
def test_a_proposed_command_does_it(dlm_desk: Desk, proposal: str) -> None:
    typed, shown = FILLED[proposal]
    prepare(dlm_desk)
    if typed == "run known":
        (dlm_desk.folder / "texts").rename(dlm_desk.folder / "known")
        assert dlm_desk.dlm("run", "known", "--base", "null-base").code == 0
    if typed.startswith(FETCHED):
        assert dlm_desk.dlm("bases", "--fetch", "null-base").code == 0
    if typed.startswith(AFTER):
        run_twice(dlm_desk)
    if typed.startswith("tokens"):  # the null engine has none to show
        (dlm_desk.folder / "notes.dlm").write_text(f"---\ndlm_id: {ID}\nbase_model: tiny\n---\n\n\n\n\nA line.\n")
        result = ByHand(dlm_desk.folder, dlm_desk.folder.parent / "home").dlm(*shlex.split(typed))
    else:
        result = dlm_desk.dlm(*shlex.split(typed))
    assert result.code == 0, result.err
    assert shown(result, dlm_desk), result.out + result.err


def test_every_proposed_command_is_executed() -> None:
    assert {" ".join(proposal.split()) for proposal in found(COMMAND)} == set(FILLED)


#: Option as a hint names it -> a command line that takes it.
OPTIONS = {
    "--accept-licence": "run notes.dlm --accept-licence",
    "--adapter NAME": "prompt notes.dlm Who? --adapter default",
    "--adapter-mix NAME:WEIGHT,NAME:WEIGHT": "prompt notes.dlm Who? --adapter-mix default:1,other:0.5",
    "--attach KIND:PATH": "prompt notes.dlm Who? --attach image:a.png",
    "--base": "init NEW.dlm --base null-base",
    "--edited": "preference revert asked.dlm --edited",
    "--force": "run notes.dlm --force",
    "--fresh": "run notes.dlm --fresh",
    "--json": "check notes.dlm --json",
    "--judge 'cli:python judge.py'": f"preference mine asked.dlm --judge 'cli:{sys.executable} judge.py'",
    "--judge answer": "preference mine asked.dlm --judge answer",
    "--judge hf:FOLDER": "preference mine asked.dlm --judge hf:reward",
    "--long-rows cut": "run notes.dlm --long-rows cut",
    "--long-rows skip": "run notes.dlm --long-rows skip",
    "--resume": "run notes.dlm --resume",
    "--to": "plugin new thing --kind exporter --to elsewhere",
    "--unset {key}": "set notes.dlm --unset training.sources",
    "-P no:{name}": "-P no:null plugins",
}


#: Options that are taken where there is nothing for them -> what is said of it.
NOTHING = {
    "--resume": "no interrupted run",
    "--adapter-mix NAME:WEIGHT,NAME:WEIGHT": "no adapter 'other'",
    "--attach KIND:PATH": "the base null-base takes no image",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_proposed_option_is_taken(dlm_desk: Desk, option: str) -> None:
    prepare(dlm_desk)
    typed = OPTIONS[option]
    if typed.startswith(AFTER):
        run_twice(dlm_desk)
    if "judge.py" in typed:
        (dlm_desk.folder / "judge.py").write_text(JUDGE)
    if "hf:" in typed:
        make_small_reward_model(dlm_desk.folder / "reward")
    if "--edited" in typed:
        assert dlm_desk.dlm("preference", "mine", "asked.dlm", "--apply").code == 0
    result = dlm_desk.dlm(*shlex.split(typed))
    if option in NOTHING:
        assert (result.code, NOTHING[option] in result.err) == (2, True), result.err
    else:
        assert result.code == 0, result.err


def test_every_proposed_option_is_tried() -> None:
    assert found(OPTION) == set(OPTIONS)


#: Placeholder -> the distributions it can stand for; a folder that was just made is no distribution.
DISTRIBUTIONS = {
    "{dist}": {dist for dist, _ in KNOWN.values()},
    "{known[0][2]}": {dist for dist, _ in KNOWN.values()},
    "{folder}[test]": set(),
    "dlm-hf[{EXTRAS[package]}]": {f"dlm-hf[{extra}]" for extra in EXTRAS.values()},
}


def test_every_package_that_is_proposed_is_ours_or_tested() -> None:
    ours = {"dlm-core", *(path.parent.name for path in (ROOT / "plugins").glob("dlm-*/pyproject.toml"))}
    tested = set((ROOT / "constraints.txt").read_text().split())
    known = ours | tested | {line.partition("==")[0] for line in tested}
    for package in found(INSTALL):
        for dist in DISTRIBUTIONS.get(package, {package}):
            name, _, extra = dist.rstrip("]").partition("[")
            assert name in known, package
            assert not extra or extra in extras(name), package


def extras(dist: str) -> set[str]:
    folder = ROOT if dist == "dlm-core" else ROOT / "plugins" / dist
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return set(project.get("optional-dependencies", ()))


class Poem(SectionType):
    name = "poem"

    def rows(self, section: Section, doc: Document) -> Iterator[Row]:
        yield text_row(section.content, section.span)


def claimant(name: str) -> ModuleType:
    module = ModuleType(name)
    module.dlm_section_types = hookimpl(lambda: [Poem()])  # type: ignore[attr-defined]
    return module


def test_leaving_out_one_of_two_claimants_does_it(dlm_desk: Desk) -> None:
    dlm_desk.use(claimant("odes")).use(claimant("verses"))
    path = dlm_desk.write("::poem::\nA line.\n", name="my notes.dlm")
    refused = dlm_desk.dlm("check", path)
    assert refused.code == 5, refused.err
    (proposed,) = {line for line in re.findall(r"`(dlm [^`]*)`", refused.err) if "-P" in line}
    assert dlm_desk.dlm(*shlex.split(proposed)[1:]).code == 0
