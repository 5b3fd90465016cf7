"""The commands about sources: a folder in place of a document, `show --why`, `check --sources`, `trust`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_core.testing import Desk

from ..conftest import Desk as Installed
from ..test_json import hold


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    return dlm_desk


def repository(desk: Desk) -> Path:
    root = desk.folder / "repo"
    for name in ("a.md", "b.log", "node_modules/c.md", "sub/d.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"The text of {name}.\n")
    (root / ".gitignore").write_text("# logs\n*.log\n")
    return root


def test_a_folder_is_made_a_document_once(desk: Desk) -> None:
    root = repository(desk)
    before = desk.dlm("run", root)
    assert (before.code, "--base KEY" in before.err) == (2, True)
    assert not (root / ".dlm").exists()
    first = desk.dlm("run", root, "--base", "null-base", "--exclude", "sub/**", "--no-export", "--json")
    assert first.code == 0, first.err
    text = (root / ".dlm" / "corpus.dlm").read_text()
    assert "sources_policy: strict" in text
    assert first.event("document")["rows"] == 1
    again = desk.dlm("run", root, "--no-export", "--json")
    assert "unchanged" in {event["event"] for event in again.events}
    same = desk.dlm("run", root, "--base", "null-base", "--exclude", "sub/**", "--no-export")
    assert same.code == 0, "the first command may be repeated"
    for words in (["--base", "other"], ["--include", "*.md"], ["--exclude", "x"]):
        other = desk.dlm("run", root, *words)
        assert (other.code, "is there already" in other.err) == (2, True)
    assert (root / ".dlm" / "corpus.dlm").read_text() == text


def test_the_tokens_of_a_document_without_sections_of_its_own(tmp_path: Path) -> None:
    root = repository(Desk(tmp_path))
    real = Installed(tmp_path, tmp_path / "home")
    assert real.dlm("run", root, "--base", "tiny", "--dry-run").code == 0
    done = real.dlm("tokens", root / ".dlm" / "corpus.dlm")
    assert (done.code, "sub/d.md" in done.out) == (0, True), done.err


def test_a_base_that_is_not_known_leaves_nothing(desk: Desk) -> None:
    root = repository(desk)
    assert desk.dlm("run", root, "--base", "nul-base").code == 2
    assert not (root / ".dlm").exists()


def test_base_is_for_folders(desk: Desk) -> None:
    done = desk.dlm("run", desk.write("Some prose."), "--base", "null-base")
    assert (done.code, "first run of a folder" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a.md", "taken    a.md"),
        ("b.log", "skipped  b.log: ignored by `*.log` ({root}/.gitignore:2)"),
        ("node_modules/c.md", "skipped  node_modules/: left out unless asked for: node_modules/"),
        ("node_modules", "skipped  node_modules/: left out unless asked for: node_modules/"),
        ("sub/../sub/d.md", "taken    sub/d.md"),
    ],
)
def test_why(desk: Desk, path: str, said: str) -> None:
    root = repository(desk)
    document = desk.write("Some prose.", "training:\n  sources: [{path: repo}]\n")
    done = desk.dlm("show", document, "--why", root / path)
    assert (done.code, done.out) == (0, f"source repo: {said.format(root=root)}\n"), done.err
    report = desk.dlm("show", document, "--why", root / path, "--json").json
    hold("why", report)
    (decision,) = report["decisions"]
    assert decision["taken"] == said.startswith("taken")


def test_why_of_what_no_source_reaches(desk: Desk) -> None:
    repository(desk)
    document = desk.write("Some prose.", "training:\n  sources: [{path: repo/sub, max_files: 1}]\n")
    assert "no source reaches it" in desk.dlm("show", document, "--why", "repo/a.md").err
    assert "it is not there" in desk.dlm("show", document, "--why", "repo/zzz").err
    (desk.folder / "repo/sub/e.md").write_text("e")
    assert "max_files=1" in desk.dlm("show", document, "--why", "repo/sub/e.md").out


def test_check_counts_and_lists(desk: Desk) -> None:
    root = repository(desk)
    for number in range(30):
        (root / f"{number:02}.bin").write_bytes(b"\0")
    document = desk.write("Some prose.", "training:\n  sources: [{path: repo}]\n")
    done = desk.dlm("check", document)
    assert "sources: 2 files taken, 40 bytes" in done.out
    assert "  ignored: 1 file: b.log\n" in done.out
    assert "  not readable as text: 30 files: 00.bin, 01.bin, 02.bin, 03.bin, 04.bin, …\n" in done.out
    assert done.err.count("skipped 0") == 10
    assert "20 more files were skipped" in done.err
    (root / "latin.md").write_bytes(b"caf\xe9")
    assert desk.dlm("bases", "--fetch", "null-base").code == 0
    assert "2 files taken, 31 skipped: 30 no reader claims it, 1 not UTF-8\n" in desk.dlm("plan", document).out
    (root / "latin.md").unlink()
    every = desk.dlm("check", document, "--sources").out
    assert every.count("skipped  ") == 33
    assert "taken    a.md\n" in every
    report = desk.dlm("check", document, "--sources", "--json").json
    hold("check", report)
    assert len(report["sources"]["decisions"]) == 35


@pytest.fixture
def outside(desk: Desk) -> Path:
    (desk.folder / "far").mkdir()
    (desk.folder / "far" / "a.md").write_text("far away")
    (desk.folder / "near").mkdir()
    desk.write("Some prose.", "training:\n  sources: [{path: ../far}]\n", "near/notes.dlm")
    return desk.folder / "near" / "notes.dlm"


def test_a_document_reads_outside_its_folder_when_it_is_trusted(desk: Desk, outside: Path) -> None:
    for words in (["check"], ["plan"], ["run", "--no-export"], ["check", "--json"]):
        done = desk.dlm(*words, outside)
        assert done.code == 3
        assert f"dlm trust {outside}" in done.err
        assert "far away" not in done.out
    assert "may read: ../far" in desk.dlm("trust", outside).out
    assert desk.dlm("check", outside).code == 0
    assert desk.dlm("run", outside, "--no-export").code == 0


def test_trust_ends_when_other_sources_are_named_or_the_document_moves(desk: Desk, outside: Path) -> None:
    desk.dlm("trust", outside)
    text = outside.read_text()
    outside.write_text(text.replace("training:\n", "training:\n  lora_r: 4\n"))
    assert desk.dlm("check", outside).code == 0, "what else it says does not matter"
    outside.write_text(text.replace("../far", ".."))
    assert desk.dlm("check", outside).code == 3
    copied = outside.with_name("copy.dlm")
    copied.write_text(text)
    assert desk.dlm("check", copied).code == 3


def test_the_owner_is_asked_once_at_a_terminal(desk: Desk, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(io, "StringIO", Terminal)
    no = desk.dlm("check", outside, stdin="n\n")
    assert (no.code, "May it, from now on?" in no.err) == (3, True)
    yes = desk.dlm("check", outside, stdin="y\n")
    assert (yes.code, "sources: 1 file taken" in yes.out) == (0, True), yes.err
    assert "May it" not in desk.dlm("check", outside).err


def test_a_document_without_outside_sources_needs_no_trust(desk: Desk) -> None:
    repository(desk)
    document = desk.write("Some prose.", "training:\n  sources: [{path: repo}]\n")
    assert desk.dlm("check", document).code == 0
    assert not list(desk.folder.parent.rglob("trust.json"))


def test_a_link_out_of_an_untrusted_document_s_folder_is_skipped(desk: Desk, outside: Path) -> None:
    (outside.parent / "x.md").symlink_to(desk.folder / "far" / "a.md")
    text = outside.read_text().replace("../far", ".")
    outside.write_text(text)
    done = desk.dlm("check", outside)
    assert (done.code, "a link out of the folder" in done.err) == (0, True)
    desk.dlm("trust", outside)
    assert "sources: 1 file taken" in desk.dlm("check", outside).out
