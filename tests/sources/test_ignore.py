"""Ignore files held against git itself: on random trees with random rules, the same rule decides about every path.

`DLM_GIT_TREES=20000 pytest tests/sources/test_ignore.py` tries more trees.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlm_core.sources.decisions import Decision
from dlm_core.sources.ignore import Ignore, as_bytes
from dlm_core.sources.walk import Walk

TREES = int(os.environ.get("DLM_GIT_TREES", "2000"))
ALONE, TOGETHER = 200, 30
NAMES = [
    *("a", "b", "foo", "bar", "a.txt", "b.py", "foo.md", "x y", "a ", "#c", "!d", "[e]", "é.txt", "foo.d", "out"),
    *("a\\b", "ab", "-", "aab", "a]b"),
]
PARTS = [
    *("**", "**", "**", "**", "a", "b", "foo", "bar", "*", "?", "***", "*.txt", "*.py", "f*", "*o", "[ab]", "[!a]"),
    *(
        "[^a]",
        "[a-f]*",
        "[[:alpha:]]*",
        "[]a]",
        "[a",
        "\\a",
        "\\*",
        "\\#c",
        "\\!d",
        "x y",
        "x\\ y",
        "a ",
        "é*",
        "?.txt",
    ),
    *(
        "??.txt",
        "out",
        "foo.d",
        "foo**",
        "**o",
        "a\\\\b",
        "[[:digit:]]",
        "[[:foo:]]",
        "[a\\]b]",
        "*a*b*",
        "[-a]",
        "[a-]",
    ),
    *("b\\", "[z-a]", "[[:alpha:]", "[a-\\f]", "*[", "é", "[é]*", "?*?", "a*b"),
]
ODD = ["", "#x", "/", "!", "//a", "a//b", " ", "\\", "***/", "**/**/a", "a/**/**/b", "/**", "**/", "*/", "!*/", "!**"]
ENDS = [" ", "  ", "\\ ", "\t", "\r", " \\ ", "\\  "]

git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def a_rule(chance: random.Random) -> str:
    if chance.random() < 0.05:
        return chance.choice(ODD)
    text = "/".join(chance.choice(PARTS) for _ in range(chance.choice([1, 1, 1, 2, 2, 3])))
    text = ("/" if chance.random() < 0.25 else "") + text + ("/" if chance.random() < 0.3 else "")
    return ("!" if chance.random() < 0.3 else "") + text + (chance.choice(ENDS) if chance.random() < 0.1 else "")


def make_tree(chance: random.Random, root: Path) -> None:
    root.mkdir(exist_ok=True)
    folders = [root]
    for _ in range(chance.randint(1, 6)):
        path = chance.choice(folders) / chance.choice(NAMES)
        if not path.exists():
            path.mkdir()
            folders.append(path)
    for _ in range(chance.randint(2, 14)):
        path = chance.choice(folders) / chance.choice(NAMES)
        if not path.exists():
            path.touch() if chance.random() < 0.9 else path.symlink_to(chance.choice(folders))
    for folder in folders:
        if folder == root or chance.random() < 0.3:
            end = chance.choice(["\n", "\n", "\n", "\r\n"])
            rules = end.join(a_rule(chance) for _ in range(chance.randint(1, 5)))
            mark = "\ufeff" if chance.random() < 0.05 else ""
            text = mark + rules + chance.choice([end, end, "", "\r"])
            (folder / ".gitignore").write_bytes(text.encode())


def make_repository(seeds: range, root: Path, empty: Path) -> None:
    """A tree at the root if there is one seed, else each in a folder of its own: git is started once for all."""
    shutil.copytree(empty, root)
    for seed in seeds:
        make_tree(random.Random(seed), root if len(seeds) == 1 else root / f"tree {seed}")
    chance = random.Random(f"exclude {seeds.start}")
    (root / ".git" / "info" / "exclude").write_text(a_rule(chance) if chance.random() < 0.3 else "")


def paths_of(root: Path, folder: Path | None = None) -> Iterator[tuple[str, bool]]:
    """Every path from the root, and whether it is a folder."""
    for path in sorted((folder or root).iterdir()):
        if path.name != ".git":
            is_folder = path.is_dir() and not path.is_symlink()
            yield path.relative_to(root).as_posix(), is_folder
            if is_folder:
                yield from paths_of(root, path)


def by_git(root: Path, paths: list[str]) -> dict[str, tuple[str, int] | None]:
    """Path -> file and line of the rule that ignores it, or None."""
    words = [
        "git",
        "-C",
        str(root),
        "-c",
        "core.excludesFile=",
        "check-ignore",
        "--no-index",
        "-z",
        "--stdin",
        "-v",
        "-n",
    ]
    done = subprocess.run(words, input="\0".join(paths).encode() + b"\0", capture_output=True, check=False)
    fields = done.stdout.decode().split("\0")
    found: dict[str, tuple[str, int] | None] = {}
    for at in range(0, len(fields) - 1, 4):
        file, line, pattern, path = fields[at : at + 4]
        found[path] = (file, int(line)) if file and not pattern.startswith("!") else None
    return found


def by_us(root: Path, paths: list[tuple[str, bool]]) -> dict[str, tuple[str, int] | None]:
    """The same from a walk; what lies in a folder that is left out is left out by the same rule."""
    decided: dict[str, Decision] = {}
    walk = Walk(
        str(root), lambda one: decided.setdefault(one.name, one) and None, lambda problem: pytest.fail(str(problem))
    )
    for _ in walk:
        pass
    found: dict[str, tuple[str, int] | None] = {}
    for path, _ in paths:
        above = path.rpartition("/")[0]
        if found.get(above) is not None:
            found[path] = found[above]
            continue
        one = decided.get(path)
        ignored = one is not None and one.rule.kind == "ignore"
        found[path] = (os.path.relpath(one.rule.file, root), one.rule.line) if one and ignored else None
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: tens of thousands of files are made and removed."""
    memory = Path("/dev/shm")
    folder = memory / f"ignore-{os.getpid()}" if os.access(memory, os.W_OK) else tmp_path / "place"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@git
def test_the_same_rule_decides_as_in_git(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Git knows no built-in excludes; they would decide first.
    monkeypatch.setattr("dlm_core.sources.builtin.FILES", frozenset())
    subprocess.run(["git", "init", "-q", str(place / "empty")], check=True)
    ignored = 0
    repositories = [range(seed, seed + 1) for seed in range(ALONE)]
    repositories += [range(seed, seed + TOGETHER) for seed in range(ALONE, TREES, TOGETHER)]
    for number, seeds in enumerate(repositories):
        root = place / str(number)
        make_repository(seeds, root, place / "empty")
        paths = [found for found in paths_of(root) if not found[0].endswith(".gitignore")]
        theirs, ours = by_git(root, [path for path, _ in paths]), by_us(root, paths)
        assert ours == {path: theirs[path] for path, _ in paths}, f"seeds {seeds}"
        ignored += sum(rule is not None for rule in theirs.values())
        shutil.rmtree(root)
    assert ignored > TREES, "the rules are about something"


def decides(rules: str, path: str, is_folder: bool = False) -> str | None:
    found = Ignore(rules.encode(), "f").match(as_bytes(path.rpartition("/")[2]), as_bytes(path), is_folder)
    return found.text if found else None


@pytest.mark.parametrize(
    ("rules", "path", "rule"),
    [
        ("*.md\n!a.md", "a.md", "!a.md"),
        ("!a.md\n*.md", "a.md", "*.md"),
        ("/a", "b/a", None),
        ("a/b", "x/a/b", None),
        ("**/a/b", "x/y/a/b", "**/a/b"),
        ("a/**/b", "a/b", "a/**/b"),
        ("foo/", "foo", None),
        ("?.txt", "é.txt", None),
        ("??.txt", "é.txt", "??.txt"),
        ("x\\ ", "x ", "x\\ "),
        ("x  ", "x", "x"),
    ],
)
def test_a_rule(rules: str, path: str, rule: str | None) -> None:
    assert decides(rules, path) == rule


@pytest.mark.parametrize(
    "rule",
    [
        "*a" * 40 + "b",
        "**/*a" * 30 + "b",
        "/**/a" * 30 + "/b",
        "*/" * 60 + "b",
        "[a-z]*" * 40 + "!",
        "a/" + "**a" * 30 + "b",
    ],
)
def test_no_rule_takes_long(rule: str) -> None:
    started = time.process_time()
    decides(rule, "a" * 20 + "/" + "aaaaaaaaaa/" * 100 + "a" * 250)
    assert time.process_time() - started < 1


def test_a_link_instead_of_rules_is_said_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("*\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".gitignore").symlink_to(tmp_path / "rules")
    problems: list[str] = []
    walk = Walk(str(tmp_path / "in"), lambda one: None, lambda problem: problems.append(problem.message))
    assert list(walk) == []
    assert problems == ["these rules cannot be read: it became a link since it was listed"]
