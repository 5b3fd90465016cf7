"""`dlm set`, `dlm fmt` and `dlm migrate` as they are used."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import DlmError
from dlm_core.document import read_document
from dlm_core.document.versions import VERSION
from dlm_core.editing import write_document
from dlm_core.editing.migrate import migrate
from dlm_core.testing import Desk
from tests.test_json import hold

HEAD = """---
# ours
dlm_id: 01KAPQ5T0J8E6M3Y7VZ2R4W9XC  # never changes
dlm_version: 15
base_model: "null-base"
training:   # how
    lora_r: 8     # small

    num_epochs: 3
---
"""
BODY = "Some text.\n\n::instruction::\n### Q\nWho?\n### A\nMe.\n"


@pytest.fixture
def doc(dlm_desk: Desk) -> Path:
    path = dlm_desk.folder / "notes.dlm"
    path.write_bytes((HEAD + BODY).encode())
    return path


@pytest.mark.parametrize(
    ("words", "old", "new"),
    [
        (["training.lora_r", "16"], "lora_r: 8 ", "lora_r: 16 "),
        (["training.lora_r=16"], "lora_r: 8 ", "lora_r: 16 "),
        (["training.learning_rate", "1e-4"], "num_epochs: 3\n", "num_epochs: 3\n    learning_rate: 1e-4\n"),
        (["system_prompt", "no"], "epochs: 3\n", 'epochs: 3\nsystem_prompt: "no"\n'),
        (["system_prompt", "Be: kind # now"], "epochs: 3\n", 'epochs: 3\nsystem_prompt: "Be: kind # now"\n'),
        (["system_prompt", "One.\nTwo."], "epochs: 3\n", "epochs: 3\nsystem_prompt: |-\n    One.\n    Two.\n"),
        (["base_model=null-base"], "", ""),
        (
            ["training.target_modules", "[q_proj, v_proj]"],
            "epochs: 3\n",
            "epochs: 3\n    target_modules: [q_proj, v_proj]\n",
        ),
        (
            ["training.cache", "{enabled: false, max_bytes: 5}"],
            "epochs: 3\n",
            "epochs: 3\n    cache:\n        enabled: false\n        max_bytes: 5\n",
        ),
        (
            ["training.lora_r=2", "--unset", "training.num_epochs"],
            "lora_r: 8     # small\n\n    num_epochs: 3\n",
            "lora_r: 2     # small\n\n",
        ),
    ],
)
def test_set_changes_one_place(dlm_desk: Desk, doc: Path, words: list[str], old: str, new: str) -> None:
    result = dlm_desk.dlm("set", doc, *words)
    assert result.code == 0, result.err
    assert doc.read_text() == (HEAD + BODY).replace(old, new)
    read_document(doc, dlm_desk.plugins())


def test_set_makes_the_tables_of_a_named_adapter(dlm_desk: Desk, doc: Path) -> None:
    result = dlm_desk.dlm("set", doc, "training.adapters.tone.lora_r", "4", "--unset", "training.lora_r")
    assert result.code == 0, result.err
    assert "+    adapters:\n+        tone:\n+            lora_r: 4\n" in result.out
    assert read_document(doc, dlm_desk.plugins()).config["training"]["adapters"]["tone"]["lora_r"] == 4


def test_set_keeps_a_byte_order_mark_and_windows_line_ends(dlm_desk: Desk, doc: Path) -> None:
    data = b"\xef\xbb\xbf" + (HEAD + BODY).replace("\n", "\r\n").encode()
    doc.write_bytes(data)
    assert dlm_desk.dlm("set", doc, "training.lora_r=9", "training.seed=1").code == 0
    wanted = data.replace(b"lora_r: 8", b"lora_r: 9").replace(b"epochs: 3\r\n", b"epochs: 3\r\n    seed: 1\r\n")
    assert doc.read_bytes() == wanted


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["training.lora_rr", "4"], 2, "did you mean `training.lora_r`?"),
        (["lora_r", "4"], 2, "did you mean `training.lora_r`?"),
        (["training.lora_r", "1000"], 3, "notes.dlm:7:13"),
        (["training.lora_r", "many"], 3, "allowed: a whole number from 1 to 256"),
        (["training.lora_r", "[1"], 2, "cannot be read"),
        (["training.lora_r", "1\nseed: 2"], 2, "cannot be read"),
        (["training.lora_r.x", "1"], 2, "is a value"),
        (["training.sources.0.path", "a"], 3, "allowed: a list"),
        (["training.lora_r"], 2, "no value for `training.lora_r`"),
        (["dlm_id", "x"], 2, "kept under"),
        (["dlm_version=3"], 2, "dlm migrate"),
        (["--unset", "training.seed"], 2, "is not in the frontmatter"),
        (["--unset", "base_model"], 3, "`base_model` is missing"),
        (["training..x=1"], 2, "is no key"),
        ([], 2, "nothing to set"),
    ],
)
def test_set_refuses_in_plain_words_and_changes_nothing(
    dlm_desk: Desk, doc: Path, words: list[str], code: int, said: str
) -> None:
    before = doc.read_bytes()
    result = dlm_desk.dlm("set", doc, *words)
    assert (result.code, said in result.err) == (code, True), result.err
    assert doc.read_bytes() == before
    assert [path.name for path in doc.parent.iterdir()] == ["notes.dlm"]


def test_set_repairs_one_of_two_errors(dlm_desk: Desk, doc: Path) -> None:
    doc.write_text((HEAD + BODY).replace("lora_r: 8", "lora_r: 800").replace("epochs: 3", "epochs: 0"))
    assert dlm_desk.dlm("set", doc, "training.lora_r=8").code == 0
    assert "lora_r: 8 " in doc.read_text()
    assert dlm_desk.dlm("set", doc, "training.num_epochs=2").code == 0
    assert dlm_desk.dlm("check", doc).code != 3 or "num_epochs" not in dlm_desk.dlm("check", doc).err


def test_set_says_where_a_frontmatter_is_broken(dlm_desk: Desk, doc: Path) -> None:
    doc.write_text(HEAD.replace("base_model:", "base_model: [") + BODY)
    result = dlm_desk.dlm("set", doc, "training.lora_r=8")
    assert result.code == 3
    assert "notes.dlm:" in result.err


def test_a_dry_run_shows_and_keeps(dlm_desk: Desk, doc: Path) -> None:
    result = dlm_desk.dlm("set", doc, "training.lora_r=9", "--dry-run")
    assert "+    lora_r: 9     # small" in result.out
    assert doc.read_text() == HEAD + BODY


def test_set_in_toml(dlm_desk: Desk, doc: Path) -> None:
    head = (
        '+++\n# ours\ndlm_id = "01KAPQ5T0J8E6M3Y7VZ2R4W9XC"\ndlm_version = 15\nbase_model = "null-base"\n\n'
        "[training] # how\nlora_r = 8 # small\n\n# end\n+++\n"
    )
    doc.write_text(head + BODY)
    words = ["training.lora_r=16", "training.learning_rate=1e-4", "training.target_modules=[q, v]", "system_prompt=Hi"]
    assert dlm_desk.dlm("set", doc, *words).code == 0
    wanted = head.replace('base"\n', 'base"\nsystem_prompt = "Hi"\n').replace(
        "lora_r = 8 # small\n", 'lora_r = 16 # small\nlearning_rate = 1e-4\ntarget_modules = ["q", "v"]\n'
    )
    assert doc.read_text() == wanted + BODY


# -- migrate ------------------------------------------------------------------------------------------

OLD = """# preferences
training:
  seed: 7
  dpo:   # pairs
    enabled: false
    # how strong
    beta: 0.2      # b
    reference: pre_dpo_adapter
    learning_rate: 1e-6
  # after
  num_epochs: 2
"""
NEW = """# preferences
training:
  seed: 7
  preference:   # pairs
    enabled: false
    reference: pre_adapter
    hyperparams:
      # how strong
      beta: 0.2      # b
      learning_rate: 1e-6
  # after
  num_epochs: 2
"""


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_version_is_rewritten_as_the_newest(dlm_desk: Desk, doc: Path, version: int) -> None:
    front = OLD if version < 2 else NEW
    written = HEAD.replace("dlm_version: 15", f"dlm_version: {version}").partition("training")[0]
    doc.write_text(written + front + "---\n" + BODY)
    before = doc.read_bytes()
    result = dlm_desk.dlm("migrate", doc)
    assert result.code == 0, result.err
    assert doc.read_text() == HEAD.partition("training")[0] + NEW + "---\n" + BODY
    backup = doc.with_name("notes.dlm.bak")
    if version == VERSION:
        assert "already version 15" in result.out
        assert not backup.exists()
    else:
        assert backup.read_bytes() == before


def test_a_document_without_a_version_gets_one_behind_its_id(dlm_desk: Desk, doc: Path) -> None:
    doc.write_text(HEAD.replace("dlm_version: 15\n", "") + BODY)
    assert dlm_desk.dlm("migrate", doc, "--dry-run").out.count("\n+") == 2
    assert "dlm_version" not in doc.read_text()
    assert dlm_desk.dlm("migrate", "--no-backup", doc).code == 0
    assert doc.read_text() == HEAD + BODY
    assert not doc.with_name("notes.dlm.bak").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "training: {dpo: {beta: 2e-1, enabled: true}} # c\n",
            "training: {preference: {enabled: true, hyperparams: {beta: 2e-1}}} # c\n",
        ),
        (
            "training:\n  'dpo':\n    beta: 0.2\n    hyperparams: {num_epochs: 2}\n",
            "training:\n  'preference':\n    hyperparams: {num_epochs: 2, beta: 0.2}\n",
        ),
        (
            "training:\n  dpo:\n    beta: 0.3\n    num_epochs: 1 # one\n",
            "training:\n  preference:\n    hyperparams:\n      beta: 0.3\n      num_epochs: 1 # one\n",
        ),
        (
            "training:\n  dpo:\n    beta: 0.3\n    hyperparams:\n      beta: 0.1\n",
            "training:\n  preference:\n    hyperparams:\n      beta: 0.3\n",
        ),
        ("training:\n  dpo:\n", "training:\n  preference:\n"),
    ],
)
def test_the_old_name_in_every_style(old: str, new: str) -> None:
    data = f"---\ndlm_id: x\n{old}---\ntext".encode()
    assert migrate(data).decode() == f"---\ndlm_id: x\ndlm_version: 15\n{new}---\ntext"


def test_the_old_name_in_toml() -> None:
    data = (
        b'+++\ndlm_id = "x"\n[training.dpo] # pairs\nbeta = 0.2\nreference = "pre_dpo_adapter"\n'
        b"[training.dpo.hyperparams]\nnum_epochs = 2\n+++\n"
    )
    assert migrate(data).decode() == (
        '+++\ndlm_id = "x"\ndlm_version = 15\n[training.preference] # pairs\nreference = "pre_adapter"\n'
        "[training.preference.hyperparams]\nnum_epochs = 2\nbeta = 0.2\n+++\n"
    )


@pytest.mark.parametrize("front", ["dlm_version: 16\n", "dlm_version: soon\n", "training: {dpo: {}, preference: {}}\n"])
def test_what_cannot_be_migrated_is_left_alone(dlm_desk: Desk, doc: Path, front: str) -> None:
    doc.write_text(f"---\n{front}---\n{BODY}")
    before = doc.read_bytes()
    assert dlm_desk.dlm("migrate", doc).code == 3
    assert doc.read_bytes() == before


def test_a_second_backup_does_not_replace_the_first(dlm_desk: Desk, doc: Path) -> None:
    for number in (1, 2):
        doc.write_text(HEAD.replace("15", "3").replace("lora_r: 8", f"lora_r: {number}") + BODY)
        assert dlm_desk.dlm("migrate", doc).code == 0
    kept = sorted(path.name for path in doc.parent.glob("*.bak*"))
    assert kept == ["notes.dlm.bak", "notes.dlm.bak.1"]


# -- fmt ----------------------------------------------------------------------------------------------

UNTIDY = "\ufeff" + (HEAD + BODY).replace("small\n", "small  \n").replace("::\n", ":: \t\n\n").replace("\n", "\r\n")
MARKED = '::instruction::\n<!-- dlm-auto-harvest: source="x" -->\n### Q\nq\n### A\na\n'


def test_fmt_makes_the_canonical_form(dlm_desk: Desk, doc: Path) -> None:
    doc.write_bytes(UNTIDY.encode())
    ids = [section.id for section in read_document(doc, dlm_desk.plugins()).sections]
    assert dlm_desk.dlm("fmt", "--check", doc).code == 1
    assert "(line ends become LF)" in dlm_desk.dlm("fmt", "--diff", doc).out
    assert doc.read_bytes() == UNTIDY.encode()
    assert dlm_desk.dlm("fmt", doc).code == 0
    assert doc.read_text() == HEAD + "\n" + BODY
    assert dlm_desk.dlm("fmt", "--check", doc).code == 0
    assert [section.id for section in read_document(doc, dlm_desk.plugins()).sections] == ids


def test_fmt_reads_stdin(dlm_desk: Desk) -> None:
    result = dlm_desk.dlm("fmt", "-", stdin=HEAD + BODY + "\n\n")
    assert (result.code, result.out) == (0, HEAD + "\n" + BODY)


def test_fmt_strips_markers_on_request(dlm_desk: Desk, doc: Path) -> None:
    doc.write_text(f"{HEAD}\n{MARKED}")
    assert dlm_desk.dlm("fmt", doc).code == 0
    assert doc.read_text() == f"{HEAD}\n{MARKED}"
    assert dlm_desk.dlm("fmt", "--strip-markers", doc).code == 0
    assert "<!--" not in doc.read_text()


def test_fmt_goes_on_behind_a_document_it_cannot_read(dlm_desk: Desk, doc: Path) -> None:
    broken = doc.with_name("broken.dlm")
    broken.write_text(HEAD + "\n```\nnever closed\n")
    doc.write_bytes(UNTIDY.encode())
    result = dlm_desk.dlm("fmt", broken, doc)
    assert result.code != 0
    assert "never closed" in result.err
    assert doc.read_text() == HEAD + "\n" + BODY
    assert broken.read_text() == HEAD + "\n```\nnever closed\n"


# -- writing ------------------------------------------------------------------------------------------


def test_a_link_is_kept_and_its_file_changed(dlm_desk: Desk, doc: Path) -> None:
    real = doc.rename(doc.with_name("real.dlm"))
    doc.symlink_to("real.dlm")
    real.chmod(0o640)
    assert dlm_desk.dlm("set", doc, "training.lora_r=9").code == 0
    assert doc.is_symlink()
    assert "lora_r: 9" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_read_only_document_is_one_error(dlm_desk: Desk, doc: Path) -> None:
    doc.chmod(0o444)
    result = dlm_desk.dlm("set", doc, "training.lora_r=9")
    assert (result.code, "is read-only" in result.err) == (1, True)
    assert doc.read_text() == HEAD + BODY


def test_a_document_that_changed_meanwhile_is_not_overwritten(doc: Path) -> None:
    with pytest.raises(DlmError, match="has changed since it was read"):
        write_document(doc, b"mine", b"what I had read")
    assert doc.read_text() == HEAD + BODY
    assert [path.name for path in doc.parent.iterdir()] == ["notes.dlm"]


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod"])
def test_a_failure_while_writing_leaves_the_document_as_it_was(
    doc: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DlmError, match="no space left"):
        write_document(doc, b"new", doc.read_bytes())
    assert doc.read_text() == HEAD + BODY
    assert [path.name for path in doc.parent.iterdir()] == ["notes.dlm"]


def test_init_keeps_the_mode_of_a_document_it_replaces(dlm_desk: Desk, doc: Path) -> None:
    doc.chmod(0o600)
    assert dlm_desk.dlm("init", doc, "--base", "null-base", "--force").code == 0
    assert stat.S_IMODE(doc.stat().st_mode) == 0o600
    assert "never changes" not in doc.read_text()


def test_the_command_line_starts_without_the_editing_layer() -> None:
    code = "import sys; from dlm_core.cli import invoke; invoke(['--help']); print('dlm_core.editing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def reported(desk: Desk, *words: object) -> tuple[int, dict[str, Any]]:
    """The exit code and the one object on stdout, held to its schema."""
    done = desk.dlm(*words, "--json")
    (only,) = done.out.splitlines()
    value: dict[str, Any] = json.loads(only)
    hold(value["dlm"], value)
    return done.code, value


def test_set_tells_programs_what_it_changed(dlm_desk: Desk, doc: Path) -> None:
    code, shown = reported(dlm_desk, "set", doc, "training.lora_r", "16", "--dry-run")
    assert (code, shown["changed"], shown["written"], shown["problems"]) == (0, True, False, [])
    assert doc.read_bytes() == (HEAD + BODY).encode()
    code, done = reported(dlm_desk, "set", doc, "training.lora_r", "16")
    assert (code, done["written"], done["diff"]) == (0, True, shown["diff"])
    assert "+    lora_r: 16     # small" in done["diff"].split("\n")
    code, same = reported(dlm_desk, "set", doc, "training.lora_r", "16")
    assert (code, same["changed"], same["written"], same["diff"]) == (0, False, False, "")


def test_set_tells_programs_what_it_refused(dlm_desk: Desk, doc: Path) -> None:
    code, value = reported(dlm_desk, "set", doc, "training.lora_r", "0")
    assert (code, value["dlm"], value["written"]) == (3, "set", False)
    assert [(one["code"], one["line"]) for one in value["problems"]] == [("DLM0104", 7)]
    assert reported(dlm_desk, "set", doc, "training.lora_rr", "1")[1]["dlm"] == "error"
    assert doc.read_bytes() == (HEAD + BODY).encode()


def test_fmt_tells_programs_of_each_document(dlm_desk: Desk, doc: Path) -> None:
    loose, broken = doc.with_name("loose.dlm"), doc.with_name("broken.dlm")
    loose.write_text(HEAD + "Some text.\n\n\n\n:: instruction ::\n### Q\nWho?\n### A\nMe.\n\n\n")
    broken.write_text("no document")
    before = loose.read_bytes()
    assert dlm_desk.dlm("fmt", doc).code == 0
    code, value = reported(dlm_desk, "fmt", doc, loose, broken, "--check")
    assert [(one["changed"], one["written"], "error" in one) for one in value["documents"]] == [
        (False, False, False),
        (True, False, False),
        (False, False, True),
    ]
    assert (code, loose.read_bytes()) == (3, before)
    assert reported(dlm_desk, "fmt", loose, "--check")[0] == 1
    code, value = reported(dlm_desk, "fmt", loose)
    assert (code, value["documents"][0]["written"], loose.read_bytes() != before) == (0, True, True)
    assert dlm_desk.dlm("fmt", "-", "--json").code == 2


def test_migrate_tells_programs_of_each_document(dlm_desk: Desk, doc: Path) -> None:
    old = doc.with_name("old.dlm")
    old.write_text(HEAD.replace("dlm_version: 15", "dlm_version: 3") + BODY)
    code, value = reported(dlm_desk, "migrate", doc, old, "--dry-run")
    assert [(one["from"], one["to"], one["written"]) for one in value["documents"]] == [(15, 15, False), (3, 15, False)]
    code, value = reported(dlm_desk, "migrate", old)
    (one,) = value["documents"]
    assert (code, one["written"]) == (0, True)
    assert "dlm_version: 3" in Path(one["backup"]).read_text()
    assert "+dlm_version: 15" in one["diff"]
