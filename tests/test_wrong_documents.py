"""Wrong documents at the command line: each problem at its place, in `check` and `run` alike, nothing touched."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from dlm_core.api.errors import EXIT_CODES
from dlm_core.cli import invoke
from tests.conftest import Desk
from tests.explanations.surroundings import AROUND, Around, Said, as_bytes, load, machine, plain
from tests.explanations.test_pages import PAGES, parts
from tests.wrong_documents import CASES, HEAD, QA, front, training

PLACE = re.compile(r"^ *--> (.+):(\d+):(\d+)$", re.MULTILINE)
TOLD = re.compile(r"^error\[([A-Z]+\d{4})\]", re.MULTILINE)
TRACEBACK = "Traceback (most recent call last)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder in which commands run, with a home for the store that must not come to be."""
    with contextlib.chdir(tmp_path), mock.patch.dict(os.environ, {"DLM_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}):
        yield tmp_path
    assert not (tmp_path / "home" / "store").exists()


def dlm(*words: str, around: Around = Around()) -> Said:  # noqa: B008
    out, err = io.StringIO(), io.StringIO()
    with machine(around), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(words, lambda off: load(off, around))
    assert TRACEBACK not in err.getvalue()
    return Said(code, err.getvalue())


def places(text: str) -> list[tuple[int, int, str]]:
    """Line, column and code of every error that was told."""
    found = []
    for block in re.split(r"\n\n", text):
        code, place = TOLD.search(block), PLACE.search(block)
        if code and place and place[1] == "notes.dlm":
            found.append((int(place[2]), int(place[3]), code[1]))
    return found


def exit_code(codes: set[str]) -> int:
    """The exit code of a document with these errors."""
    exits = {EXIT_CODES.get(code, EXIT_CODES.get(code[:5], 3)) for code in codes}
    return exits.pop() if len(exits) == 1 else 3


def refused(home: Path, data: bytes, *commands: str, around: Around = Around()) -> list[Said]:  # noqa: B008
    """What the commands say about a document, which they leave as it is."""
    path = home / "notes.dlm"
    path.write_bytes(data)
    around.prepare(home)
    before = sorted(home.rglob("*"))
    said = [dlm(*command.split(), around=around) for command in commands]
    assert path.read_bytes() == data
    assert [found for found in sorted(home.rglob("*")) if "home" not in found.parts[-3:]] == before
    return said


#: Those of the table that need the section types and blocks of its own plugins.
OTHERS = re.compile(r"::(picky|picture|break)|preference|dpo|default_q")
PLAIN = [name for name, (text, _) in CASES.items() if not OTHERS.search(text)]


@pytest.mark.parametrize("name", PLAIN)
def test_a_document_that_cannot_be_read(home: Path, name: str) -> None:
    text, expected = CASES[name]
    checked, run = refused(home, text.encode(), "check notes.dlm", "run notes.dlm")
    wanted = [case[:3] for case in expected]
    found = places(checked.text)
    codes = {code for *_, code in wanted}
    assert [one for one in found if one[2] in codes] == wanted, checked.text
    assert {code for *_, code in found} - codes <= FURTHER
    assert checked.code == run.code == exit_code({code for *_, code in found})
    assert places(run.text) == places(checked.text)


#: Problems of the table's documents that only the whole check finds: sources that are not there, trainers, rows.
FURTHER = {"DLM0130", "DLM0407", "DLM0501", "HF0001", "HF0002", "HF0004", "DLM0408"}


def prose(lines: str) -> str:
    return training(lines).replace("Hello.", "The ferry sails at noon.")


LONG = "word " * 400
#: name -> (document, command that finds it, line, column, code, exit code)
LATER: dict[str, tuple[str, str, int, int, str, int]] = {
    "base unknown": (front("").replace("tiny", "tinny"), "check", 4, 13, "DLM0130", 3),
    "base nearly known": (front("").replace("tiny", "smollm2-135"), "check", 4, 13, "DLM0130", 3),
    "base folder": (front("").replace("tiny", "./nowhere"), "check", 4, 13, "DLM0131", 6),
    "base folder is a file": (front("").replace("tiny", "./notes.dlm"), "check", 4, 13, "DLM0131", 6),
    "base of an unknown home": (front("").replace("tiny", "~nobody-here/x"), "check", 4, 13, "DLM0104", 3),
    "source missing": (prose("sources:\n  - path: nowhere"), "check", 7, 13, "DLM0501", 3),
    "second source missing": (prose("sources:\n  - path: .\n  - path: nowhere"), "check", 8, 13, "DLM0501", 3),
    "source in a file": (prose("sources:\n  - path: notes.dlm/x"), "check", 7, 13, "DLM0501", 3),
    "source leads out": (prose("sources_policy: strict\nsources:\n  - path: /usr"), "check", 8, 13, "DLM0502", 3),
    "source above": (prose("sources_policy: strict\nsources:\n  - path: .."), "check", 8, 13, "DLM0502", 3),
    "source secret": (prose("sources:\n  - path: /proc"), "check", 7, 13, "DLM0505", 3),
    "source NUL": (prose('sources:\n  - path: "a\\u0001b"'), "check", 7, 13, "DLM0110", 3),
    "source of an unknown home": (prose("sources:\n  - path: ~nobody-here/x"), "check", 7, 13, "DLM0501", 3),
    "fp16": (prose("precision: fp16"), "plan", 6, 3, "DLM0408", 3),
    "galore on rank 1": (prose("optimizer: galore_adamw\nlora_r: 1"), "check", 6, 3, "HF0001", 3),
    "qlora beside lora": (
        training("adapters: {tone: {adapter: qlora}, facts: {}}").replace(
            "Hello.\n", "::prose#tone::\nHello.\n\n::prose#facts::\nWelcome.\n"
        ),
        "check",
        6,
        21,
        "HF0002",
        3,
    ),
    "an adapter without rows": (
        training("adapters: {tone: {}, facts: {}}").replace("Hello.\n", QA.replace("tion::", "tion#tone::")),
        "check",
        6,
        24,
        "HF0004",
        3,
    ),
    "cpt schedule": (prose("cpt: {schedule: dap}"), "check", 6, 19, "DLM0104", 3),
    "cpt warm-up below zero": (prose("cpt:\n  embed_warmup_steps: -1"), "check", 7, 25, "DLM0104", 3),
    "cpt unknown key": (prose("cpt: {shedule: dapt}"), "check", 6, 9, "DLM0101", 3),
    "cpt is no block": (prose("cpt: true"), "check", 6, 8, "DLM0104", 3),
    "preference method": (prose("preference: {method: kto}"), "check", 6, 24, "DLM0104", 3),
    "preference beta": (prose("preference:\n  hyperparams: {beta: 1.1}"), "check", 7, 25, "DLM0104", 3),
    "preference alpha": (prose("preference: {hyperparams: {alpha: -0.1}}"), "check", 6, 37, "DLM0104", 3),
    "preference epochs": (prose("preference: {hyperparams: {num_epochs: 0}}"), "check", 6, 42, "DLM0104", 3),
    "preference rate": (prose("preference: {hyperparams: {learning_rate: 0}}"), "check", 6, 45, "DLM0104", 3),
    "preference loss": (prose("preference:\n  loss_type: sigmod"), "check", 7, 16, "DLM0104", 3),
    "preference reference": (prose("preference: {reference: adapter}"), "check", 6, 27, "DLM0104", 3),
    "preference key too high": (prose("preference: {beta: 0.1}"), "check", 6, 16, "DLM0101", 3),
    "preference switched by a word": (prose("preference: {enabled: yes}"), "check", 6, 25, "DLM0104", 3),
    "gate steps": (prose("gate: {steps: 0}"), "check", 6, 17, "DLM0104", 3),
    "gate width": (prose("gate:\n  hidden_proj_dim: 4"), "check", 7, 22, "DLM0104", 3),
    "gate entropy": (prose("gate: {entropy_lambda: 2}"), "check", 6, 26, "DLM0104", 3),
    "gate key": (prose("gate: {learning_rate: 1e-3}"), "check", 6, 10, "DLM0101", 3),
    "nothing at all": (f"{HEAD}---\n", "check", 1, 1, "DLM0407", 3),
    "only blank lines": (f"{HEAD}---\n\n\n  \n", "check", 1, 1, "DLM0407", 3),
    "only an exam": (f"{HEAD}---\n{QA.replace('### Q', '### Q !exam')}", "check", 7, 1, "DLM0407", 3),
    "a question spelt out": (f"{HEAD}---\n{QA.replace('### Q', '### Question')}", "check", 7, 1, "DLM0226", 3),
    "an answer spelt out": (f"{HEAD}---\n{QA.replace('### A', '### Answer')}", "check", 9, 1, "DLM0226", 3),
    "small letters": (f"{HEAD}---\n{QA.replace('### A', '### a')}", "check", 9, 1, "DLM0226", 3),
    "a colon": (f"{HEAD}---\n{QA.replace('### Q', '### Q:')}", "check", 7, 1, "DLM0226", 3),
    "two signs": (f"{HEAD}---\n{QA.replace('### Q', '## Q')}", "check", 7, 1, "DLM0226", 3),
    "a misspelt flag": (f"{HEAD}---\n{QA.replace('### Q', '### Q !prob')}", "check", 7, 7, "DLM0222", 3),
    "a flag on the answer": (f"{HEAD}---\n{QA.replace('### A', '### A !exam')}", "check", 9, 1, "DLM0222", 3),
    "a heading for an answer": (f"{HEAD}---\n{QA.replace('### A', '### Appendix')}", "check", 7, 1, "DLM0223", 3),
    "a long answer": (prose("sequence_len: 64") + QA.replace("a\n", LONG + "\n"), "plan", 10, 1, "DLM0403", 3),
    "a long question": (prose("sequence_len: 64") + QA.replace("q\n", LONG + "\n"), "plan", 10, 1, "DLM0403", 3),
    "a long exam": (
        f"{HEAD}---\nHello.\n{QA.replace('### Q', '### Q !exam').replace('a' + chr(10), LONG * 8 + chr(10))}",
        "plan",
        9,
        1,
        "DLM0403",
        3,
    ),
}


@pytest.mark.parametrize("name", LATER)
def test_a_document_that_cannot_be_trained(home: Path, name: str) -> None:
    text, command, line, col, code, exit_code = LATER[name]
    text = text.replace("\nHello.\n", "\nHello.\n\n", 1)
    checked, run = refused(home, text.encode(), f"{command} notes.dlm", "run notes.dlm --no-export")
    assert places(checked.text) == [(line, col, code)], checked.text
    assert (places(run.text), run.code, checked.code) == (places(checked.text), exit_code, exit_code)


#: Codes of errors: a warning does not keep a document from being trained.
ERRORS = [code for code in PAGES if f"error[{code}]" in parts(PAGES[code].page).message]


@pytest.mark.parametrize("code", ERRORS)
def test_run_says_what_the_page_says(home: Path, code: str) -> None:
    page = parts(PAGES[code].page)
    words = page.command.removeprefix("dlm ").split()
    asked = " ".join(word if word not in ("check", "plan") else "run" for word in words)
    (run,) = refused(home, as_bytes(page.wrong), asked, around=AROUND.get(code, Around()))
    assert run.code == exit_code({code})
    assert set(TOLD.findall(run.text)) == {code}
    assert page.message.split("\n")[0] in plain(run.text, home)


@pytest.mark.parametrize("name", ["unknown key", "yaml colon", "misspelt key", "unknown section", "base with slash"])
def test_in_a_process_of_its_own(desk: Desk, name: str) -> None:
    text, expected = CASES[name]
    path = desk.folder / "notes.dlm"
    path.write_text(text)
    before = hashlib.sha256(path.read_bytes()).digest()
    for command in ("check", "run"):
        done = desk.dlm(command, "notes.dlm")
        assert done.code == 3
        assert places(done.err) == [case[:3] for case in expected]
        assert TRACEBACK not in done.err
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert not desk.home.exists()


def test_a_missing_plugin_and_a_gated_licence(home: Path) -> None:
    (missing,) = refused(home, front("").encode(), "-P no:tiny check notes.dlm")
    assert (missing.code, places(missing.text)) == (5, [(4, 13, "DLM0302")])
    around = AROUND["DLM0132"]
    (gated,) = refused(home, front("").replace("tiny", "walled").encode(), "run notes.dlm", around=around)
    assert (gated.code, places(gated.text)) == (6, [(4, 13, "DLM0132")])


def test_memory(home: Path) -> None:
    said = refused(home, front("").encode(), "plan notes.dlm", "run notes.dlm", around=Around(memory=300_000_000))
    assert [(one.code, places(one.text)) for one in said] == [(4, [(4, 1, "DLM0406")])] * 2


def test_there_are_enough_of_them() -> None:
    assert len(PLAIN) + len(LATER) >= 150


def test_thirty_problems_stay_readable(home: Path) -> None:
    keys = "\n".join(f"colour{number}: 3" for number in range(30))
    (said,) = refused(home, training(keys).encode(), "check notes.dlm")
    assert len(said.text.splitlines()) < 200
    assert said.text.count("error[DLM0101]") == 30
    assert "30 errors" in said.text


def test_the_order_is_that_of_the_document(home: Path) -> None:
    text = training("lora_rr: 1\nsources:\n  - path: nowhere").replace("tiny", "tinny") + "::instrction::\nx\n"
    (said,) = refused(home, text.encode(), "check notes.dlm")
    assert places(said.text) == sorted(places(said.text))
    assert [code for *_, code in places(said.text)] == ["DLM0130", "DLM0101", "DLM0501", "DLM0201"]
