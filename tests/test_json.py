"""What `--json` prints holds to the published schemas, nothing more and nothing less, in every command that has it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from dlm_core.cli.schema import report_names, report_schema
from dlm_core.plugins import Plugins

from .conftest import QUICK, Desk

SHORT = QUICK.replace("num_epochs: 12", "num_epochs: 2")

#: Command line -> the report it prints; `DOC` stands for a document that was trained.
REPORTS = {
    "check DOC": "check",
    "check DOC --fix": "check",
    "explain": "explanations",
    "explain DLM0101": "explain",
    "plan DOC": "plan",
    "run DOC --dry-run": "plan",
    "show DOC": "show",
    "show DOC --verify": "verify",
    "show DOC --learned": "learned",
    "show DOC --report": "report",
    "exam DOC": "exam",
    "prompt DOC Who? --compare-base": "prompt",
    "tokens DOC": "tokens",
    "tokens DOC:13": "tokens",
    "export --list": "formats",
    "cache show": "cache",
    "cache prune --max-bytes 1000000": "cache-removed",
    "cache explain DOC": "cache-explain",
    "bases": "bases",
    "bases --fetch tiny": "fetched",
    "plugins": "plugins",
    "plugins --why hf": "plugins",
    "doctor": "doctor",
    "init new.dlm": "init",
    "init --list-templates": "templates",
    "schema --list": "schemas",
    "check DOC --fix --diff": "check",
    "set DOC training.num_epochs 5 --dry-run": "set",
    "fmt DOC --diff": "fmt",
    "migrate DOC": "migrate",
}
#: Commands whose `--json` is a line an event, or is shown by a test of its own.
OTHERS = {
    "run": "event",
    "train": "event",
    "export": "event",
    "rollback": "rollback",
    "cache clear": "cache-removed",
}


def strict(schema: Any) -> Any:
    """The schema with every object closed, unless it says itself what else may stand in it."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(item) for name, item in schema.items()}
    return {"additionalProperties": False, **closed} if isinstance(schema.get("properties"), dict) else closed


def hold(kind: str, value: Any) -> None:
    errors = Draft202012Validator(strict(report_schema(kind))).iter_errors(value)
    told = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]
    assert not told, told


def parsed(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("line", REPORTS)
def test_a_report_holds_to_its_schema(trained: tuple[Desk, Path, Any], line: str) -> None:
    desk, path, _ = trained
    words = [*line.replace("DOC", path.name).split(), *(["--force"] if line == "init new.dlm" else [])]
    done = desk.dlm(*words, "--json")
    assert done.code == 0, done.err
    (only,) = done.out.splitlines()
    value = parsed(only)
    assert (value["dlm"], value["schema"]) == (REPORTS[line], 1)
    hold(REPORTS[line], value)


def test_every_event_of_a_run_holds_to_its_schema(desk: Desk) -> None:
    many = "".join(f"### Q\nShip {number}?\n### A\nNumber {number}.\n\n" for number in range(24))
    text = "The bay is deep.\n" * 20
    path = desk.write(f"{text}\n::instruction::\n{many}", SHORT + "  sequence_len: 64\n")
    run = desk.dlm("run", path, "--json", "--export", "adapter", env={"DLM_CHECKPOINT_SECONDS": "0"})
    assert run.code == 0, run.err
    events = [parsed(line) for line in run.out.splitlines()]
    for event in events:
        hold("event", event)
    wanted = {"document", "plan", "run", "phase", "step", "eval", "checkpoint", "phase_end", "exam", "commit", "export"}
    assert wanted <= {event["event"] for event in events}
    again = desk.dlm("train", path, "--json")
    assert "unchanged" in {event["event"] for event in map(parsed, again.out.splitlines())}
    desk.dlm("train", path, "--force", "--json")
    back = parsed(desk.dlm("rollback", path, "--json").out)
    hold("rollback", back)
    assert (back["version"], back["before"]) == (1, 2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", "nowhere.dlm"], 2),
        (["plan", "bad.dlm"], 3),
        (["trian", "--json"], 2),
        (["bases", "zzz"], 2),
        (["run", "bad.dlm"], 3),
        (["tokens", "notes.dlm:3"], 2),
        (["-P", "no:hf", "plan", "notes.dlm"], 5),
    ],
)
def test_a_failure_is_one_object_too(desk: Desk, words: list[str], code: int) -> None:
    desk.write()
    desk.write(training="  lora_rr: 3\n", name="bad.dlm")
    done = desk.dlm(*words, "--json")
    assert done.code == code
    (only,) = done.out.splitlines()
    value = parsed(only)
    hold("error", value)
    hold("event", value)
    assert value["exit_code"] == code
    assert value["message"]
    assert bool(value["problems"]) == (code in (3, 5))
    assert "Traceback" not in done.err


def test_what_check_finds_is_its_report_and_not_an_error(desk: Desk) -> None:
    done = desk.dlm("check", desk.write(training="  lora_rr: 3\n"), "--json")
    (only,) = done.out.splitlines()
    hold("check", parsed(only))
    assert done.code == 3


def test_every_command_with_json_is_held_to_a_schema() -> None:
    from importlib import import_module

    having, covered = set(), set(OTHERS)
    for name, command in Plugins.load().commands.items():
        module, _, attribute = command.target.partition(":")
        found: click.Command = getattr(import_module(module), attribute)
        commands = {name: found}
        if isinstance(found, click.Group) and module.startswith("dlm_core."):
            commands = {f"{name} {part}": one for part, one in found.commands.items()}
        for words, one in commands.items():
            if any("--json" in parameter.opts for parameter in one.params):
                having.add(words)
            covered |= {words for line in REPORTS if f"{line} ".startswith(f"{words} ")}
    assert having == covered
    assert set(report_names()) == {*REPORTS.values(), *OTHERS.values(), "error", "why"}


@pytest.mark.parametrize("name", report_names())
def test_schemas_are_schemas(name: str) -> None:
    found = report_schema(name)
    Draft202012Validator.check_schema(found)
    assert found["title"]
    assert found["$id"] == f"urn:dlm:report:{name}:1"


def test_schemas_are_printed_and_listed(desk: Desk) -> None:
    listed = desk.dlm("schema", "--list").out
    assert all(name in listed for name in report_names())
    assert json.loads(desk.dlm("schema", "--report", "plan").out) == report_schema("plan")
    wrong = desk.dlm("schema", "--report", "paln")
    assert (wrong.code, "did you mean `plan`" in wrong.err) == (2, True)


def test_numbers_that_are_not_finite_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    from dlm_core.api import Event
    from dlm_core.cli.reporter import JsonReporter
    from dlm_core.cli.terminal import print_json

    print_json("x", {"a": float("nan"), "b": [float("inf")], "c": {"d": -float("inf")}})
    JsonReporter().dlm_event(Event("step", {"loss": float("nan"), "path": Path("a")}))
    report, event = capsys.readouterr().out.splitlines()
    assert parsed(report) == {"dlm": "x", "schema": 1, "a": None, "b": [None], "c": {"d": None}}
    assert parsed(event) == {"event": "step", "v": 1, "loss": None, "path": "a"}


@pytest.mark.parametrize("line", [line for line in REPORTS if line.split()[0] != "init"])
def test_ascii_is_encoding_enough(trained: tuple[Desk, Path, Any], line: str) -> None:
    desk, path, _ = trained
    text = path.read_text(encoding="utf-8").replace("It was built by", "It — “naïve 東京 🙂” — was built by")
    odd = desk.folder / "odd.dlm"
    odd.write_text(text, encoding="utf-8")
    for words in (line.replace("DOC", odd.name).split(), [*line.replace("DOC", odd.name).split(), "--json"]):
        done = desk.dlm(*words, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
        assert "Unicode" not in done.err, done.err
        assert done.code == 0, done.err
    parsed(done.out)


# -- the frontmatter's schema -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def frontmatter() -> Any:
    from dlm_core.cli.schema import frontmatter_schema

    return frontmatter_schema(Plugins.load())


def test_every_key_says_what_it_is_for(frontmatter: Any) -> None:
    Draft202012Validator.check_schema(frontmatter)
    blocks = {"": frontmatter, **frontmatter["$defs"]}
    about = {f"#/$defs/{name}": block.get("description") for name, block in blocks.items()}
    silent = [
        f"{name}.{key}"
        for name, block in blocks.items()
        for key, found in block["properties"].items()
        if not found.get("description") and not about.get(found.get("$ref"))
    ]
    assert not silent
    assert frontmatter["$schema"].endswith("2020-12/schema")
    assert "default_quant" in json.dumps(frontmatter), "the keys of plugins are in it"


ACCEPTED = [
    "",
    "system_prompt: Be brief.\n",
    "training: {lora_r: 4, target_modules: [q_proj], micro_batch_size: 2, precision: bf16}\n",
    "training: {adapters: {one: {lora_r: 2}, two: {}}, sources: [{path: ., include: ['*.md']}]}\n",
    "training: {cache: {enabled: false}}\nexport: {default_quant: Q8_0, default_temperature: 0.5}\n",
]
WRONG = [
    "trainig: {}\n",
    "training: {lora_rr: 4}\n",
    "training: {lora_r: 0}\n",
    "training: {adapter: lara}\n",
    "training: {adapters: {Big: {}}}\n",
    "export: {default_quant: Q9}\n",
    "dlm_version: 16\n",
]


@pytest.mark.parametrize("front", [*ACCEPTED, *WRONG])
def test_the_schema_agrees_with_check(desk: Desk, frontmatter: Any, front: str) -> None:
    import yaml

    path = desk.write("Text.", training="", front=front.replace("path: .", f"path: {os.fspath(desk.folder)}"))
    text = path.read_text(encoding="utf-8").split("---\n")[1]
    text = text.replace("dlm_version: 15\n", "") if "dlm_version: 16" in front else text
    path.write_text(f"---\n{text}---\nText.\n", encoding="utf-8")
    is_valid = Draft202012Validator(frontmatter).is_valid(yaml.safe_load(text))
    found = parsed(desk.dlm("check", path, "--json").out)
    codes = {problem["code"] for problem in found["problems"] if problem["code"].startswith("DLM01")}
    assert is_valid == (not codes) == (front in ACCEPTED), codes
