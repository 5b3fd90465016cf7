"""Sources: what is read, what is left out, and that nothing secret, special or out of reach is ever opened."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import DocumentError, Problem
from dlm_core.document import parse_document
from dlm_core.plugins import Plugins
from dlm_core.sources.gather import Gathered, gather
from dlm_core.sources.trust import trust
from tests.conftest import ID

from .store.samples import exit_code, forked

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n"
PLUGINS = Plugins.load(group="no.such.group")


class Folder:
    """A document in a folder of its own, and the sources it is given."""

    def __init__(self, path: Path) -> None:
        self.path, self.trusted = path, False
        path.mkdir()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)

    def gather(self, path: str, policy: str = "permissive", **source: Any) -> Gathered:
        sources = json.dumps([{"path": path, **source}])
        head = f"dlm_id: {ID}\ndlm_version: 15\nbase_model: tiny\n"
        text = f"---\n{head}training:\n  sources_policy: {policy}\n  sources: {sources}\n---\n"
        document = parse_document(text.encode(), self.path / "notes.dlm", PLUGINS)
        if self.trusted or path.startswith(("/", "..")):
            trust(document)
        return gather(document, PLUGINS)

    def names(self, path: str, **source: Any) -> list[str]:
        return [section.source or "" for section in self.gather(path, **source).sections]

    def warnings(self, path: str, **source: Any) -> list[str]:
        return [problem.message for problem in self.gather(path, **source).warnings]

    def refused(self, path: str, **source: Any) -> Problem:
        """The one error that gathering ends with."""
        with pytest.raises(DocumentError) as caught:
            self.gather(path, **source)
        (problem,) = caught.value.problems
        assert problem.severity == "error"
        assert problem.span.line == 7, "it points at the source"
        return problem


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, where trust is remembered."""
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "desk")


def test_a_folder_is_read_in_order_without_what_machines_made(folder: Folder) -> None:
    folder.write({"b.md": "b", "a/z.txt": "z", "a/y.md": "y", "node_modules/x.md": "x", "uv.lock": "l", "m.pyc": "m"})
    gathered = folder.gather(".")
    assert [s.source for s in gathered.sections] == ["a/y.md", "a/z.txt", "b.md"]
    assert gathered.sections[0].content == "# source: a/y.md\n\ny"
    assert gathered.warnings == ()


def test_a_document_is_not_its_own_source(folder: Folder) -> None:
    folder.write({"notes.dlm": "### Q !exam\nnever learned", "a.md": "a"})
    (folder.path / "other.md").symlink_to("notes.dlm")
    assert folder.names(".") == ["a.md"]
    assert folder.warnings(".") == []
    assert folder.warnings("notes.dlm") == ["skipped notes.dlm: the document itself"]


def test_include_exclude_and_caps(folder: Folder) -> None:
    folder.write({"a.md": "a", "b.txt": "b", "c.md": "c" * 50, "d.md": "d", "e.md": "e"})
    assert folder.names(".", include=["*.md"], exclude=["d*"]) == ["a.md", "c.md", "e.md"]
    assert folder.warnings(".", include=["c.md"], max_bytes_per_file=9) == [
        "skipped c.md: 50 bytes, more than max_bytes_per_file=9"
    ]
    assert folder.warnings(".", max_files=2) == ["more than max_files=2 files"]


SECRETS = [
    "id_rsa",
    "id_ed25519.pub",
    "server.pem",
    "TLS.KEY",
    "putty.ppk",
    ".env",
    ".env.production",
    ".netrc",
    ".npmrc",
    "hf.token",
    ".ssh/config",
    ".aws/credentials",
    ".gnupg/ring.txt",
    ".kube/config",
    ".mozilla/firefox/logins.json",
    ".config/google-chrome/Default/History",
    ".config/gh/hosts.yml",
    ".docker/config.json",
    "huggingface/token",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_read_in_no_way(folder: Folder, tmp_path: Path, name: str) -> None:
    Folder(tmp_path / "user").write({name: "hunter2", "plain/notes.md": "n"})
    secret = tmp_path / "user" / name
    problem = folder.refused(str(secret))
    assert (problem.code, "secret" in problem.message) == ("DLM0505", True)

    (folder.path / "notes.md").symlink_to(secret)
    assert folder.refused("notes.md").code == "DLM0505"
    assert folder.names(".") == []
    assert folder.warnings(".") == ["skipped notes.md: secret"]

    assert folder.names("../user") == ["plain/notes.md"]
    (warning,) = folder.warnings("../user")
    assert warning.startswith("skipped ")
    assert warning.endswith(": secret")


@pytest.mark.parametrize("name", [".ssh", ".config/gh", ".env", ".aws/sso/cache"])
def test_a_secret_folder_is_no_root(folder: Folder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "notes.md").write_text("hunter2")
    assert folder.refused(f"../{name}").code == "DLM0505"
    folder.trusted = True
    (folder.path / "docs").symlink_to(tmp_path / name)
    assert folder.refused("docs").code == "DLM0505"
    assert folder.refused("docs/notes.md").code == "DLM0505"


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self", "/sys/kernel", "/dev/null", "/dev"])
def test_the_kernels_folders_are_never_read(folder: Folder, path: str) -> None:
    assert folder.refused(path).code == "DLM0505"
    (folder.path / "link").symlink_to(path)
    assert folder.refused("link").code == "DLM0505"


def test_a_private_key_is_known_by_its_content(folder: Folder) -> None:
    folder.write({"deploy": KEY, "how-to.md": f"A key looks like this:\n\n{KEY}"})
    assert folder.refused("deploy").code == "DLM0505"
    assert folder.names(".") == ["how-to.md"]
    assert folder.warnings(".") == ["skipped deploy: secret, a private key"]


def test_what_is_excluded_or_not_included_is_not_warned_of(folder: Folder) -> None:
    folder.write({".env": "x", ".ssh/config": "x", "a.md": "a"})
    assert folder.warnings(".", exclude=["**/.env", ".ssh/**"]) == []
    assert folder.warnings(".", include=["*.md"], exclude=[".ssh"]) == []


def test_links(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("outside")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.md").write_text("more")
    folder.write({"a.md": "a"})
    (folder.path / "file.md").symlink_to(tmp_path / "outside.md")
    (folder.path / "folder").symlink_to(tmp_path / "elsewhere")
    (folder.path / "gone.md").symlink_to("nowhere")
    (folder.path / "loop.md").symlink_to("loop.md")
    (folder.path / "round").symlink_to(".")
    folder.trusted = True
    assert folder.names(".") == ["a.md", "file.md"]
    not_followed = "a link to a folder, which is not followed"
    assert [w.removeprefix("skipped ") for w in folder.warnings(".")][:2] == [
        f"folder: {not_followed}",
        "gone.md: not a regular file",
    ]
    assert folder.warnings(".")[3] == f"skipped round: {not_followed}"
    assert folder.names("folder") == ["more.md"], "a link may be the source itself"
    assert folder.refused(".", policy="strict", exclude=["folder"]).code == "DLM0502"
    assert folder.refused("folder", policy="strict").code == "DLM0502"
    assert folder.refused("loop.md").code == "DLM0506"


def test_what_is_not_there_or_cannot_be_named(folder: Folder) -> None:
    assert folder.refused("nothing").code == "DLM0501"
    folder.write({"a.md": "a"})
    assert folder.refused("a.md/b").code == "DLM0501"
    assert folder.refused("~no-such-user/x").code == "DLM0501"
    assert folder.refused("x" * 5000).code == "DLM0506"


def test_pipes_and_devices_are_never_waited_for(folder: Folder) -> None:
    os.mkfifo(folder.path / "pipe.md")
    folder.write({"a.md": "a"})
    assert folder.names(".") == ["a.md"]
    assert folder.warnings(".") == ["skipped pipe.md: not a regular file"]
    problem = folder.refused("pipe.md")
    assert (problem.code, problem.message) == (
        "DLM0506",
        "the source pipe.md cannot be read: it is neither a file nor a folder",
    )


def test_a_file_that_turns_into_a_pipe_or_vanishes_meanwhile(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write({"a.md": "a", "b.md": "b", "c.md": "c"})

    def meanwhile(names: Sequence[str]) -> None:
        for name in names:
            (folder.path / name).unlink()
        os.mkfifo(folder.path / "b.md")

    before = os.open

    def opened(path: Any, *rest: Any, **more: Any) -> int:
        if Path(path).name == "a.md":
            meanwhile(["b.md", "c.md"])
        return before(path, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    assert folder.warnings(".") == [
        "skipped b.md: not a regular file",
        "skipped c.md: no such file or directory",
    ]


def test_what_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Folder(Path(place) / "desk")
        folder.write({"a.md": "a", "closed/b.md": "b", "own.md": "c"})
        (folder.path / "closed").chmod(0)
        (folder.path / "own.md").chmod(0)

        def as_somebody() -> int:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            assert folder.names(".") == ["a.md"]
            assert folder.warnings(".") == ["skipped closed: permission denied", "skipped own.md: permission denied"]
            for path in ("closed", "closed/b.md", "own.md"):
                assert folder.refused(path).message == f"the source {path} cannot be read: permission denied"
            return 0

        assert exit_code(forked(as_somebody)) == 0
        (folder.path / "closed").chmod(0o755)


def test_a_very_deep_folder(folder: Folder) -> None:
    levels = [folder.path]
    for _ in range(1100):
        levels.append(levels[-1] / "d")
        levels[-1].mkdir()
    (levels[-1] / "a.md").write_text("a")
    assert folder.names(".") == ["d/" * 1100 + "a.md"]
    (levels[-1] / "a.md").unlink()
    for level in reversed(levels):
        level.rmdir()


def test_what_is_not_text_is_skipped(folder: Folder) -> None:
    (folder.path / "a.md").write_bytes(b"a\0b")
    (folder.path / "b.md").write_bytes(b"\xff\xfe")
    (folder.path / "c").write_bytes(b"\0")
    assert folder.warnings(".") == [
        "skipped a.md: not text: it holds a NUL byte",
        "skipped b.md: not UTF-8: byte 0",
        "skipped c: no reader claims it",
    ]
