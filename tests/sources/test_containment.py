"""`sources_policy: strict` against everything that is known to lead out of a folder: nothing outside is ever read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import DlmError, Document, Section
from dlm_core.document import read_document
from dlm_core.sources.gather import Gathering
from dlm_core.sources.source import home_of
from dlm_core.testing import Desk

SECRET = "HUNTER2"


class Place:
    """`inside` is the document's folder; `outside`, beside it, is never to be read."""

    def __init__(self, folder: Path) -> None:
        self.inside, self.outside = folder / "desk", folder / "outside"
        (self.outside / "deep").mkdir(parents=True)
        for path in (self.outside / "notes.md", self.outside / "deep" / "more.md"):
            path.write_text(f"{SECRET}\n")
        (self.outside / "rules").write_text(f"{SECRET}\n")
        (self.inside / "sub").mkdir(parents=True)
        (self.inside / "good.md").write_text("fine\n")
        (self.inside / "sub" / "also.md").write_text("fine too\n")

    def link(self, name: str, target: str | Path) -> None:
        (self.inside / name).symlink_to(target)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = Place(tmp_path)
    monkeypatch.setenv("HOME", str(found.outside))
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "store"))
    return found


Trick = Callable[[Place], dict[str, Any]]


def linked(name: str, target: Callable[[Place], str | Path], source: str = ".") -> Trick:
    """A link in the document's folder, and the source that reaches it."""

    def trick(place: Place) -> dict[str, Any]:
        place.link(name, target(place))
        return {"path": source}

    return trick


def named(path: Callable[[Place], str] | str, **more: Any) -> Trick:
    """A source that is named in a certain way."""
    return lambda place: {"path": path if isinstance(path, str) else path(place), **more}


def chain(place: Place) -> dict[str, Any]:
    place.link("sub/one.md", "two.md")
    place.link("sub/two.md", "../three.md")
    place.link("three.md", "../outside/notes.md")
    return {"path": "."}


def chain_of_folders(place: Place) -> dict[str, Any]:
    place.link("a", "b")
    place.link("b", "../outside")
    return {"path": "a/deep"}


def up_from_a_link(place: Place) -> dict[str, Any]:
    """`link/..` is the folder above what the link leads to, not the folder the link lies in."""
    place.link("link", "../outside/deep")
    return {"path": "link/.."}


def descriptor(root: str) -> Trick:
    def trick(place: Place) -> dict[str, Any]:
        return {"path": f"{root}/{os.open(place.outside, os.O_RDONLY)}"}

    return trick


def rules_from_outside(name: str) -> Trick:
    def trick(place: Place) -> dict[str, Any]:
        (place.inside / ".dlm").mkdir()
        place.link(name, place.outside / "rules")
        return {"path": "."}

    return trick


def rule_folder_from_outside(place: Place) -> dict[str, Any]:
    (place.outside / "training.yaml").write_text(f"metadata: {{a: {SECRET}}}\n")
    place.link(".dlm", place.outside)
    return {"path": "."}


def wide_rules(place: Place) -> dict[str, Any]:
    (place.inside / ".dlm").mkdir()
    text = 'dlm_training_version: 1\ninclude: ["../../outside/**", "/**", "**/*"]\nexclude_defaults: false\n'
    (place.inside / ".dlm" / "training.yaml").write_text(text)
    place.link("way", place.outside)
    place.link("way.md", place.outside / "notes.md")
    return {"path": "."}


def brought_back(place: Place) -> dict[str, Any]:
    (place.inside / ".gitignore").write_text("*\n!way.md\n!way/\n!way/**\n")
    place.link("way", place.outside)
    place.link("way.md", place.outside / "notes.md")
    return {"path": "."}


def pipe(place: Place) -> dict[str, Any]:
    os.mkfifo(place.inside / "pipe.md")
    return {"path": "."}


def a_socket(place: Place) -> dict[str, Any]:
    with contextlib.chdir(place.inside), socket.socket(socket.AF_UNIX) as made:
        made.bind("s.md")
    return {"path": "."}


def device(place: Place) -> dict[str, Any]:
    try:
        os.mknod(place.inside / "zero.md", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except OSError:
        pytest.skip("only root makes devices")
    return {"path": "."}


def strange_names(place: Place) -> dict[str, Any]:
    for name in ("a\nb.md", "\x1b[2J.md", "..\u2215outside.md", "...md", os.fsdecode(b"\xff.md")):
        place.link(name, place.outside / "notes.md")
    return {"path": "."}


TRICKS: dict[str, Trick] = {
    "a file link, absolute": linked("x.md", lambda place: place.outside / "notes.md"),
    "a file link, relative": linked("x.md", lambda place: "../outside/notes.md"),
    "a file link in a folder": linked("sub/x.md", lambda place: "../../outside/notes.md"),
    "a file link that winds": linked("x.md", lambda place: "sub/../sub/../../outside/./deep/../notes.md"),
    "a folder link, absolute": linked("x", lambda place: place.outside),
    "a folder link, relative": linked("x", lambda place: "../outside"),
    "a folder link and below it": linked("x", lambda place: "../outside", "x/deep"),
    "a link to the folder above": linked("x", lambda place: ".."),
    "a link to the root": linked("x", lambda place: "/", "x/etc"),
    "a link named as the source": linked("x.md", lambda place: "../outside/notes.md", "x.md"),
    "a folder link named as the source": linked("x", lambda place: "../outside", "x"),
    "a link with a slash behind": linked("x", lambda place: "../outside", "x/"),
    "a link with a dot behind": linked("x", lambda place: "../outside", "x/."),
    "a link with slashes and dots": linked("x", lambda place: "../outside", "./x//.//"),
    "a link to itself": linked("x.md", lambda place: "x.md"),
    "a chain of links": chain,
    "a chain of folder links": chain_of_folders,
    "up from a link": up_from_a_link,
    "a link into /proc/self/root": linked("x.md", lambda place: f"/proc/self/root{place.outside}/notes.md"),
    "a link into /proc/self/cwd": linked("x", lambda place: "/proc/self/cwd/../outside", "x"),
    "dots": named("../outside"),
    "dots in the middle": named("sub/../../outside"),
    "dots behind what is not there": named("none/../../outside"),
    "many dots": named(lambda place: "../" * 40 + str(place.outside).lstrip("/")),
    "an absolute path": named(lambda place: str(place.outside)),
    "an absolute path with two slashes": named(lambda place: f"/{place.outside}"),
    "an absolute file": named(lambda place: f"{place.outside}/notes.md"),
    "through the folder itself": named(lambda place: f"{place.inside}/../outside"),
    "home": named("~"),
    "home and below": named("~/deep"),
    "somebody's home": named("~root"),
    "a variable": named("$HOME"),
    "a URL": named(lambda place: f"file://{place.outside}"),
    "percent signs": named("%2e%2e/outside"),
    "another case": named("../OUTSIDE"),
    "a leader of two dots": named("\u2025/outside"),
    "wide dots": named("\uff0e\uff0e/outside"),
    "a division slash": named("..\u2215outside"),
    "a backslash": named("..\\outside"),
    "a joiner between the dots": named(".\u200d./outside"),
    "blanks": named(" ../outside "),
    "the process's root": named(lambda place: f"/proc/self/root{place.outside}"),
    "the process's folder": named("/proc/self/cwd/../outside"),
    "an open descriptor": descriptor("/proc/self/fd"),
    "an open descriptor as a device": descriptor("/dev/fd"),
    "a glob that climbs": named(".", include=["../outside/**", "sub/../../outside/*"]),
    "a glob from the root": named(".", include=["/**/*"]),
    "a .gitignore from outside": rules_from_outside(".gitignore"),
    "a .dlm/ignore from outside": rules_from_outside(".dlm/ignore"),
    "a training.yaml from outside": rules_from_outside(".dlm/training.yaml"),
    "a .dlm from outside": rule_folder_from_outside,
    "a training.yaml that takes everything": wide_rules,
    "an ignore file that brings back": brought_back,
    "a pipe": pipe,
    "a socket": a_socket,
    "a device": device,
    "names that hide": strange_names,
}


def document(place: Place, source: dict[str, Any], policy: str = "strict") -> Path:
    front = f"training:\n  sources_policy: {policy}\n  sources: {json.dumps([source])}\n"
    return Desk(place.inside).write("Some prose.", front)


def sections_of(path: Path, after_listing: Callable[[], None] = lambda: None) -> tuple[list[Section], list[str]]:
    """Every section that was read before the end or an error, and what was said."""
    plugins = Desk(path.parent).plugins()
    sections, said = [], []
    try:
        gathering = Gathering(read_document(path, plugins), plugins)
        for section in gathering:
            sections.append(section)
            after_listing()
        said += [warning.message for warning in gathering.warnings]
    except DlmError as error:
        said.append(error.message)
    return sections, said


@pytest.mark.parametrize("policy", ["strict", "permissive"])
@pytest.mark.parametrize("name", TRICKS)
def test_nothing_outside_is_read(place: Place, name: str, policy: str) -> None:
    """Nor is it of a permissive document that its owner has not trusted."""
    path = document(place, TRICKS[name](place), policy)
    sections, said = sections_of(path)
    assert SECRET not in "".join([*(section.content for section in sections), *said])
    done = Desk(place.inside).dlm("check", path, "--sources")
    assert done.code in (0, 3), done.err
    assert SECRET not in done.out + done.err
    assert "Traceback" not in done.err
    if done.code == 3:
        assert done.err.startswith(("notes.dlm", "error", str(path))), done.err


@pytest.mark.parametrize(
    "name", ["a file link, relative", "a folder link named as the source", "dots", "up from a link"]
)
def test_a_run_stops_before_it_trains(place: Place, name: str) -> None:
    path = document(place, TRICKS[name](place))
    desk = Desk(place.inside)
    done = desk.dlm("run", path, "--no-export")
    assert done.code == 3
    assert "leads out of" in done.err
    assert not list(Path(os.environ["DLM_HOME"]).rglob("*.safetensors"))
    trusted = desk.dlm("trust", path)
    assert (trusted.code, desk.dlm("check", path).code) == (0, 3), "trust does not lift strict"


def test_a_link_that_stays_inside_is_read_under_strict(place: Place) -> None:
    place.link("x.md", "sub/also.md")
    sections, said = sections_of(document(place, {"path": "."}))
    assert [section.source for section in sections if section.source] == ["good.md", "sub/also.md", "x.md"]
    assert said == []


# -- races: what was listed is not what is opened ----------------------------------------------------


def at_the_second(change: Callable[[], Any]) -> Callable[[], None]:
    """Change something when the second section has been read."""
    seen: list[int] = []

    def after() -> None:
        seen.append(1)
        if len(seen) == 2:
            change()

    return after


@pytest.mark.parametrize("target", ["file", "folder", "folder above", "root"])
def test_what_becomes_a_link_after_it_was_listed(place: Place, target: str) -> None:
    """The first section read is the moment of the change: all of its folder is listed, nothing else is read yet."""
    for folder in ("a", "a/b"):
        (place.inside / folder).mkdir()
        for name in ("1.md", "2.md", "notes.md"):
            (place.inside / folder / name).write_text("fine\n")
    (place.outside / "b").mkdir()
    (place.outside / "b" / "notes.md").write_text(f"{SECRET}\n")

    def change() -> None:
        if target == "file":
            (place.inside / "a" / "notes.md").unlink()
            place.link("a/notes.md", place.outside / "notes.md")
            return
        swapped = {"folder": place.inside / "a" / "b", "folder above": place.inside / "a", "root": place.inside}[target]
        swapped.rename(place.outside.parent / "moved")
        swapped.symlink_to(place.outside)

    path = document(place, {"path": "."}, "strict")
    sections, said = sections_of(path, at_the_second(change))
    assert SECRET not in "".join([*(section.content for section in sections), *said])
    assert len(sections) > 1, "something was read before the change"


def test_a_file_that_becomes_a_link_is_told_of(place: Place) -> None:
    for name in ("1.md", "2.md"):
        (place.inside / name).write_text("fine\n")

    def change() -> None:
        (place.inside / "2.md").unlink()
        place.link("2.md", place.outside / "notes.md")

    sections, said = sections_of(document(place, {"path": "."}), at_the_second(change))
    assert "skipped 2.md: it became a link since it was listed" in said
    assert [section.source for section in sections if section.source] == ["1.md", "good.md", "sub/also.md"]


# -- mounts, and the document's own folder -----------------------------------------------------------


@pytest.mark.parametrize("target", ["folder", "file"])
def test_a_mount_is_not_reached_into(place: Place, target: str) -> None:
    into = place.inside / ("mounted" if target == "folder" else "mounted.md")
    into.mkdir() if target == "folder" else into.touch()
    path = document(place, {"path": "."})
    origin = place.outside if target == "folder" else place.outside / "notes.md"
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    words = [sys.executable, "-m", "dlm_core.cli", "check", str(path), "--sources"]
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare")
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", str(origin), str(into), *words]
    text = path.read_text().replace("null-base", "tiny")
    path.write_text(text)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine does not let us mount")
    assert done.returncode == 3, done.stderr
    assert f"something is mounted at {into}" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_the_store_s_own_folder_does_not_open_the_home(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document in `~/.dlm` has that folder for its own, not the whole home above it."""
    (place.inside / ".dlm").mkdir()
    path = place.inside / ".dlm" / "corpus.dlm"
    assert home_of(path) == str(place.inside)
    monkeypatch.setenv("DLM_HOME", str(place.inside / ".dlm"))
    assert home_of(path) == str(place.inside / ".dlm")


def test_a_hard_link_to_the_document_is_the_document(place: Place) -> None:
    path = document(place, {"path": "."})
    os.link(path, place.inside / "copy.md")
    sections, _ = sections_of(path)
    assert [section.source for section in sections if section.source] == ["good.md", "sub/also.md"]


def test_documents_are_what_the_tests_think(place: Place) -> None:
    """The tricks would pass on an empty folder too; this one says that the folder is read."""
    plugins = Desk(place.inside).plugins()
    found: Document = read_document(document(place, {"path": "."}), plugins)
    assert len(list(Gathering(found, plugins))) == 3
