"""Packages of strangers, one for each kind of hook, installed beside core and at work in `dlm run`."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dlm_core.hookspecs import DlmSpec
from dlm_core.plugins import Plugins

from .packages import entry_points, environment

ROOT = Path(__file__).parents[2]
FOREIGN = Path(__file__).parent / "foreign"
MODULES = sorted(path.stem for path in FOREIGN.glob("*.py"))
#: Strangers that are plugins of a plugin of this project.
GUESTS = {"pen", "shorter"}
NO_ENTRY = {"longest"}  # the module of a command
FRONT = "dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC\ndlm_version: 15\n"
PAIR = "::instruction::\n### Q\nWhere?\n### A\nHere.\n"


@dataclass(frozen=True)
class Away:
    """A folder with installed strangers, and `dlm` in processes of its own."""

    folder: Path

    def dlm(self, *words: object, only: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command; `only` names the strangers that are there."""
        seen = {"DLM_HOME": str(self.folder / "home"), "DLM_PLUGINS": f"null,{only}", **extra}
        return subprocess.run(
            [sys.executable, "-m", "dlm_core.cli", *map(str, words)],
            cwd=self.folder,
            env=environment(self.folder / "site", **seen),
            capture_output=True,
            text=True,
        )

    def run(
        self, body: str, *words: object, only: str, front: str = "", base: str = "null-base"
    ) -> list[dict[str, Any]]:
        (self.folder / "notes.dlm").write_text(f"---\n{FRONT}base_model: {base}\n{front}---\n{body}")
        done = self.dlm("run", "notes.dlm", "--json", *words, only=only)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def away(tmp_path: Path) -> Away:
    site = tmp_path / "site"
    shutil.copytree(FOREIGN, site, ignore=shutil.ignore_patterns("__pycache__"))
    for module in set(MODULES) - NO_ENTRY:
        entry_points(site, f"foreign-{module}".replace("_", "-"), "1.0", {module: module})
    entry_points(site, "foreign-null", "1.0", {"null": "dlm_core.testing.null.plugin"})
    return Away(tmp_path)


def of(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return [event for event in events if event["event"] == kind][-1]


def answers(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(answer["question"], answer["answer"]) for answer in of(events, "exam")["exam"]["answers"]]


def adapter(events: list[dict[str, Any]]) -> Path:
    return Path(of(events, "commit")["adapter"]) / "default"


@pytest.mark.parametrize("module", MODULES)
def test_no_stranger_needs_more_than_forty_lines(module: str) -> None:
    """Lines with something on them."""
    assert len([line for line in (FOREIGN / f"{module}.py").read_text().splitlines() if line.strip()]) <= 40


def test_every_hook_has_a_stranger() -> None:
    text = "".join((FOREIGN / f"{module}.py").read_text() for module in MODULES)
    assert [hook for hook in vars(DlmSpec) if hook.startswith("dlm_") and hook not in text] == []


def test_every_hook_that_a_plugin_of_this_project_opens_has_a_page_and_a_stranger() -> None:
    """A page shows its code; a stranger's file holds the same."""
    pages = [page.read_text() for page in sorted((ROOT / "docs").rglob("*.md"))]
    strangers = [(FOREIGN / f"{module}.py").read_text() for module in MODULES]
    for owned in Plugins.load().collect("dlm_hookspecs", type):
        for hook in [name for name in vars(owned.value) if name.startswith("dlm_")]:
            shown = [code for page in pages for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]
            code = next((code for code in shown if f"@hookimpl\ndef {hook}(" in code), "")
            assert code, f"no page shows a plugin with {hook}"
            assert any(one.endswith(code) for one in strangers), f"no stranger is what the page shows of {hook}"


@pytest.mark.skipif(find_spec("dlm_preference") is None, reason="needs dlm-preference")
def test_a_judge_of_answers(away: Away) -> None:
    away.run(PAIR, only="shorter")
    mine = ("preference", "mine", "notes.dlm", "--json", "--judge")
    done = away.dlm(*mine, "shorter", only="preference,shorter")
    assert (done.returncode, json.loads(done.stdout)["judge"]) == (0, "shorter"), done.stderr
    misspelt = away.dlm(*mine, "shortr", only="preference,shorter")
    assert (misspelt.returncode, "did you mean `shorter`?" in misspelt.stderr) == (2, True)
    alone = away.dlm("plugins", "--why", "shorter", only="shorter")
    assert "no such hook 'dlm_preference_judges': provided by preference (dlm-preference" in alone.stdout


def test_a_section_type(away: Away) -> None:
    events = away.run('::tides at="Varn"::\n06:12 4.1 m\n18:40 3.9 m\n', "--min-exam", "1", only="tides")
    assert answers(events)[1] == ("How high is the water in Varn at 18:40?", "3.9 m")
    done = away.dlm("check", "notes.dlm")
    assert (done.returncode, "error[DLM0302]: section type `tides`" in done.stderr) == (5, True)


def test_a_source_reader(away: Away) -> None:
    (away.folder / "logs").mkdir()
    (away.folder / "logs" / "may.log").write_text("LOG OF THE ODA\n06:00 | Fog lifted.\n")
    (away.folder / "logs" / "june").write_text("LOG OF THE ODA\n07:00 | Set sail.\n")
    events = away.run("", only="logbook", front="training:\n  sources:\n    - path: logs\n")
    assert of(events, "document")["rows"] == 2


def test_a_media_kind_nobody_foresaw(away: Away) -> None:
    for name, strength in (("rose", 0.2), ("tar", 0.9)):
        (away.folder / f"{name}.smell").write_bytes(struct.pack("<8f", *[strength] * 8))
    body = '::smell path="rose.smell"::\na rose\n\n::smell path="tar.smell"::\ntar\n'
    events = away.run(body, "--min-exam", "1", only="smell", base="nose")
    assert [said for _, said in answers(events)] == ["a rose", "tar"]
    (away.folder / "tar.smell").write_bytes(b"short")
    done = away.dlm("run", "notes.dlm", only="smell")
    assert (done.returncode, "a smell is eight floats" in done.stderr, ":9:" in done.stderr) == (3, True, True)
    (away.folder / "tar.smell").write_bytes(bytes(32))
    (away.folder / "other.dlm").write_text(f"---\n{FRONT}base_model: null-base\n---\n{body}")
    done = away.dlm("run", "other.dlm", only="smell")
    assert (done.returncode, "bases that can: nose" in done.stderr) == (3, True)


def test_a_precision_policy(away: Away) -> None:
    events = away.run("A line.\n", only="careful", front="system_prompt: You serve a laboratory.\n")
    assert of(events, "plan")["plan"]["precision"]["reason"] == "this laboratory compares runs bit by bit"


def test_a_config_block_and_a_trainer(away: Away) -> None:
    events = away.run("A line.\n", only="repeat", front="training:\n  repeat:\n    times: 3\n")
    assert [event["phase"] for event in events if event["event"] == "phase"] == ["sft", "repeat"]
    events = away.run("A line.\n", only="repeat")
    assert [event["phase"] for event in events if event["event"] == "phase"] == ["sft"]


def test_an_engine(away: Away) -> None:
    events = away.run(PAIR, only="parrot", base="parrot")
    assert answers(events) == [("Where?", "Where?!")]


def test_an_exporter_and_its_own_plugin(away: Away) -> None:
    events = away.run(PAIR, "--export", "cards", only="cards")
    assert (Path(of(events, "export")["folder"]) / "cards.txt").read_text() == "Where? = Here.\n"
    done = away.dlm("export", "notes.dlm", "cards", "--to", "out", only="cards,loud_cards")
    assert done.returncode == 0, done.stderr
    assert (away.folder / "out" / "cards.txt").read_text() == "Where? -> Here.!!\n"


def test_a_runner(away: Away) -> None:
    events = away.run(PAIR, "--runner", "away", "--min-exam", "1", only="away")
    assert json.loads((adapter(events) / "came-back.json").read_text()) == {"rows": 1}


def test_a_command(away: Away) -> None:
    (away.folder / "notes.dlm").write_text(f"---\n{FRONT}base_model: null-base\n---\nA line.\n\n{PAIR}")
    assert away.dlm("longest", "notes.dlm", only="longest_plugin").stdout == "line 9: instruction\n"


def test_an_observer(away: Away) -> None:
    away.run("A line.\n", only="diary")
    assert (away.folder / "home" / "diary.txt").read_text() == "version 1\n"


def test_explanations(away: Away) -> None:
    (away.folder / "notes.dlm").write_text(f"---\n{FRONT}base_model: null-base\n---\n::verses::\nNo title.\n")
    refused = away.dlm("check", "notes.dlm", only="verses")
    assert (refused.returncode, "`dlm explain VERSE0001` says more" in refused.stderr) == (3, True)
    told = away.dlm("explain", "verse0001", only="verses")
    assert told.stdout.startswith("VERSE0001: a poem without a title\n")
    assert away.dlm("explain", "VERSE0001").returncode == 5


def test_a_router_with_its_phase(away: Away) -> None:
    front = "training:\n  adapters:\n    sea: {}\n    land: {}\n"
    pair = "::instruction#{}::\n### Q\nWhat {} there?\n### A\n{}.\n"
    body = pair.format("sea", "swims", "A seal") + pair.format("land", "walks", "A goat")
    events = away.run(body, "--min-exam", "1", only="topics", front=front)
    assert [event["phase"] for event in events if event["event"] == "phase"] == ["sft", "sft"]
    routing = of(events, "exam")["exam"]["routing"]
    assert (routing["router"], routing["right"]["trained"], routing["asked"]["trained"]) == ("topics", 2, 2)
    for words, said, why in (
        ((), "A goat.", "topics     sea 0.17 · land 0.83: their words"),
        (("--topics", "off"), "I do not know.", "adapter    sea 1.00: --topics off: the document's first adapter"),
        (("--adapter", "land"), "A goat.", "adapter    land 1.00: --adapter asks for it"),
    ):
        done = away.dlm("prompt", "notes.dlm", "What walks there?", "--explain", *words, only="topics")
        assert (done.stdout.strip(), why in done.stderr) == (said, True), done.stderr
    both = away.dlm("prompt", "notes.dlm", "Where?", "--adapter", "sea", "--topics", "auto", only="topics")
    assert (both.returncode, "--adapter says who answers" in both.stderr) == (2, True)
    gone = away.dlm("prompt", "notes.dlm", "Where?")
    assert (gone.returncode, "no router 'topics'" in gone.stderr) == (5, True), gone.stderr


def test_base_models(away: Away) -> None:
    events = away.run("A line.\n", only="fleet", base="fleet-small")
    assert of(events, "plan")["base"]["model"]["key"] == "fleet-small"


def test_all_strangers_at_once_change_nothing_in_a_plain_document(away: Away) -> None:
    alone = away.run(PAIR, only="")
    everybody = ",".join(sorted(set(MODULES) - NO_ENTRY - GUESTS))
    together = away.run(PAIR, "--force", only=everybody)
    weights = "adapter_model.safetensors"
    assert (adapter(together) / weights).read_bytes() == (adapter(alone) / weights).read_bytes()
    assert "failed" not in away.dlm("plugins", only=everybody).stdout
