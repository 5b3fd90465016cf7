"""`--allow-secret PATH`: the only way a secret file is ever read, one file at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlm_core.testing import Desk, Result

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n"


@pytest.fixture
def desk(dlm_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(dlm_desk.folder)
    texts = {
        "tree/.env": "A=1\n",
        "tree/sub/.env.local": "B=2\n",
        "tree/.ssh/config": "Host rock\n",
        "tree/.ssh/id_rsa": KEY,
        "tree/notes.md": "The rock is black.\n",
        "tree/server.txt": KEY,
        "tree/build/.env": "C=3\n",
    }
    for name, text in texts.items():
        path = dlm_desk.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    dlm_desk.write("", "training:\n  sources:\n    - path: tree\n")
    return dlm_desk


def check(desk: Desk, *paths: str) -> Result:
    return desk.dlm("check", "notes.dlm", "--json", *(word for path in paths for word in ("--allow-secret", path)))


def taken(result: Result) -> tuple[int, list[str]]:
    """How many files were taken, and which of them are secret."""
    sources = json.loads(result.out)["sources"]
    return sources["files"]["taken"], sources["let_through"]


def test_nothing_is_let_through_unless_named(desk: Desk) -> None:
    assert taken(check(desk)) == (1, [])


@pytest.mark.parametrize(
    "path",
    [
        "tree/.env",
        "./tree/../tree/.env",
        "tree/sub/.env.local",
        "tree/.ssh/config",
        "tree/.ssh/id_rsa",
        "tree/server.txt",
    ],
)
def test_one_file_is_let_through_and_no_other(desk: Desk, path: str) -> None:
    name = str(Path(path).resolve().relative_to((desk.folder / "tree").resolve()))
    assert taken(check(desk, path)) == (2, [name])


def test_several(desk: Desk) -> None:
    assert taken(check(desk, "tree/.env", "tree/.ssh/config")) == (3, [".env", ".ssh/config"])


def test_links(desk: Desk) -> None:
    (desk.folder / "tree" / "settings.txt").symlink_to(".env")
    (desk.folder / "tree" / ".env.md").symlink_to("notes.md")
    assert taken(check(desk)) == (1, [])
    assert taken(check(desk, "tree/settings.txt")) == (3, [".env", "settings.txt"]), "both are the file that was named"
    assert taken(check(desk, "tree/.env.md")) == (2, [".env.md"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("tree/gone", "it is not there"),
        ("tree/.ssh", "it is a folder"),
        ("tree/notes.md", "it is not secret and is read anyway"),
        ("elsewhere.env", "no source reaches it"),
        ("tree/build/.env", "left out unless asked for: build/"),
        ("tree/sub/.env.local", "ignored by `.env*`"),
    ],
)
def test_a_file_that_is_not_read_for_it_is_told(desk: Desk, path: str, message: str) -> None:
    (desk.folder / "elsewhere.env").write_text("X=1\n")
    (desk.folder / "tree" / "sub" / ".gitignore").write_text(".env*\n")
    result = check(desk, path)
    assert (result.code, message in result.err) == (2, True), result.err


def test_no_nested_file_lets_a_secret_through(desk: Desk) -> None:
    (desk.folder / "tree" / ".dlm").mkdir()
    (desk.folder / "tree" / ".dlm" / "ignore").write_text("!.env\n!.ssh/\n!**\n")
    rules = "dlm_training_version: 1\nexclude_defaults: false\ninclude: ['**/*', '.env', '.ssh/**']\n"
    (desk.folder / "tree" / ".dlm" / "training.yaml").write_text(rules)
    assert taken(check(desk))[1] == []


def test_the_option_lifts_no_other_rule(desk: Desk) -> None:
    outside = desk.folder.parent / "outside.env"
    outside.write_text("X=1\n")
    desk.write("", f"training:\n  sources_policy: strict\n  sources:\n    - path: {outside}\n")
    assert "DLM0502" in check(desk, str(outside)).out


def test_a_source_that_is_secret_itself(desk: Desk) -> None:
    desk.write("", "training:\n  sources:\n    - path: tree/.env\n    - path: tree/.ssh\n")
    assert "DLM0505" in check(desk).out
    assert taken(check(desk, "tree/.env", "tree/.ssh/config")) == (2, [".env", "config"])


def test_every_command_that_reads_sources_takes_it(desk: Desk) -> None:
    allow = ("--allow-secret", "tree/.env")
    said = desk.dlm("check", "notes.dlm", *allow)
    assert "secret, let through by --allow-secret: .env" in said.out
    why = desk.dlm("show", "notes.dlm", "--why", "tree/.env", *allow)
    assert "taken    .env (secret, let through by --allow-secret)" in why.out
    assert "skipped" in desk.dlm("show", "notes.dlm", "--why", "tree/.env").out
    assert desk.dlm("show", "notes.dlm", *allow).code == 2
    run = desk.dlm("run", "notes.dlm", "--no-export", "--json", *allow)
    assert (run.event("secrets")["files"], run.event("document")["rows"]) == ([".env"], 2)
    assert desk.dlm("plan", "notes.dlm", "--json", *allow).code == 0
    assert "it is not secret" in desk.dlm("tokens", "notes.dlm", "--allow-secret", "tree/notes.md").err
    assert desk.dlm("train", "notes.dlm", *allow).code == 0
    assert ".env is read, as --allow-secret asks" in desk.dlm("run", "notes.dlm", "--no-export", *allow).err


def test_a_version_of_a_secret_source_is_examined_and_exported(desk: Desk) -> None:
    desk.write("", "training:\n  sources:\n    - path: tree/.env\n")
    allow = ("--allow-secret", "tree/.env")
    assert desk.dlm("run", "notes.dlm", "--no-export", *allow).code == 0
    for command in (["exam", "notes.dlm"], ["export", "notes.dlm", "adapter"]):
        assert "DLM0505" in desk.dlm(*command).err
        assert desk.dlm(*command, *allow).code == 0
