"""Which rule decides about a file, in which order, and what `.dlm/training.yaml` says: by way of `dlm check`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dlm_core import hookimpl
from dlm_core.api import Row, SourceReader, Span
from dlm_core.sources.weights import copies, weigh
from dlm_core.testing import Desk, Result


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    return dlm_desk


def write(desk: Desk, files: dict[str, str]) -> None:
    for name, text in files.items():
        (desk.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / name).write_text(text)


def document(desk: Desk, body: str = "Some prose.", **source: Any) -> Path:
    return desk.write(body, f"training:\n  sources: {json.dumps([{'path': 'src', **source}])}\n")


def decided(desk: Desk, **source: Any) -> dict[str, str]:
    """Name -> `taken`, or the kind of rule that decided, with its pattern."""
    done = desk.dlm("check", document(desk, **source), "--json", "--sources")
    assert done.code == 0, done.out
    sources = done.json["sources"]
    files = Counter(one["rule"]["kind"] for one in sources["decisions"] if not one["folder"])
    assert files == Counter(sources["files"]), "the counts are those of the list"
    return {
        one["name"]: "taken" if one["taken"] else f"{one['rule']['kind']} {one['rule']['text']}"
        for one in sources["decisions"]
    }


def refused(desk: Desk, **source: Any) -> Result:
    done = desk.dlm("check", document(desk, **source))
    assert done.code == 3, done.out
    return done


def test_the_first_rule_decides(desk: Desk) -> None:
    write(
        desk,
        {
            "src/.dlm/training.yaml": 'dlm_training_version: 1\nexclude: ["c*", "d*", "e*", "f*"]\n',
            "src/.dlm/ignore": "d*\n!e*\n",
            "src/.gitignore": "g*\n",
            "src/build/x.md": "x",
            "src/other.dlm": "### Q !exam\nNot to be learned.\n",
            "src/node_modules/x.md": "x",
            **{
                f"src/{name}": name
                for name in ("a.md", "b.lock.md", "uv.lock", "c.md", "d.md", "e.md", "g.md", "h.txt")
            },
        },
    )
    assert decided(desk, include=["*.md"], exclude=["c*", "build/**"]) == {
        ".dlm": "built-in .dlm/",
        ".gitignore": "built-in .gitignore",
        "a.md": "taken",
        "b.lock.md": "taken",
        "build": "exclude build/**",
        "c.md": "exclude c*",
        "d.md": "training.yaml d*",
        "e.md": "training.yaml e*",
        "g.md": "ignore g*",
        "h.txt": "include *.md",
        "node_modules": "built-in node_modules/",
        "other.dlm": "built-in *.dlm",
        "uv.lock": "built-in uv.lock",
    }


def test_ignore_files_nest_and_ours_outranks_git_s(desk: Desk) -> None:
    write(
        desk,
        {
            "src/.gitignore": "*.md\n!keep.md\n",
            "src/sub/.gitignore": "keep.md\n!a.md\n",
            "src/sub/deep/.gitignore": "!keep.md\n",
            "src/.dlm/ignore": "!wanted.md\n/sub/deep/b.md\n",
            "src/gone/.gitignore": "!*\n",
            "src/.git/info/exclude": "*.txt\n",
            **{f"src/{name}": "x" for name in ("a.md", "keep.md", "wanted.md", "x.txt", "gone/a.md")},
            **{
                f"src/sub/{name}": "x" for name in ("a.md", "keep.md", "b.md", "deep/keep.md", "deep/a.md", "deep/b.md")
            },
        },
    )
    taken = sorted(name for name, why in decided(desk).items() if why == "taken")
    assert taken == ["gone/a.md", "keep.md", "sub/a.md", "sub/deep/a.md", "sub/deep/keep.md", "wanted.md"]


def test_a_file_is_not_brought_back_into_a_folder_that_is_left_out(desk: Desk) -> None:
    write(desk, {"src/.gitignore": "out/\n!out/a.md\n!b.md\n", "src/out/a.md": "x", "src/out/.gitignore": "!a.md\n"})
    assert decided(desk) == {".gitignore": "built-in .gitignore", "out": "ignore out/"}


def test_built_in_excludes_are_lifted_but_no_secret(desk: Desk) -> None:
    files = {"build/a.md": "x", "uv.lock": "x", ".env": "x", "id_rsa": "x", "sub/build/b.md": "x", ".ssh/c.md": "x"}
    write(desk, {f"src/{name}": text for name, text in files.items()})
    text = "dlm_training_version: 1\nexclude_defaults: {}\n"
    write(desk, {"src/.dlm/training.yaml": text.format("false"), "src/sub/.dlm/training.yaml": text.format("true")})
    assert decided(desk) == {
        ".dlm": "built-in .dlm/",
        ".env": "secret secret",
        ".ssh": "secret secret",
        "build/a.md": "taken",
        "id_rsa": "secret secret",
        "sub/.dlm": "built-in .dlm/",
        "sub/build": "built-in build/",
        "uv.lock": "taken",
    }


def test_the_nearest_include_stands_for_the_document_s(desk: Desk) -> None:
    names = ("a.md", "a.py", "sub/a.md", "sub/a.py", "sub/deep/a.md", "sub/deep/a.py")
    write(desk, {f"src/{name}": "x" for name in names})
    write(
        desk,
        {"src/sub/.dlm/training.yaml": 'include: ["**/*.py"]\n', "src/sub/deep/.dlm/training.yaml": "exclude: [x]\n"},
    )
    taken = [name for name, why in decided(desk, include=["**/*.md"]).items() if why == "taken"]
    assert taken == ["a.md", "sub/a.py", "sub/deep/a.py"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("exclud: [a]\n", "1:1", "did you mean `exclude`?"),
        ("dlm_training_version: 2\n", "1:23", "`dlm_training_version`"),
        ("exclude: [a\n", "1:10", "not valid YAML"),
        ("include: a\n", "1:10", "a list of text"),
        ("weights: {a: {b: -1}}\n", "1:18", "0"),
        ("exclude_defaults: no\n", "1:19", "true or false"),
        ("- a\n", "1:1", "`key: value` lines"),
        ("exclude: [a]\nexclude: [b]\n", "2:1", "duplicate key"),
        ("include: ['" + "{a,b}" * 12 + "']\n", "1:10", "stands for more than"),
    ],
)
def test_a_broken_training_yaml_is_an_error_at_its_place(desk: Desk, text: str, place: str, words: str) -> None:
    write(desk, {"src/.dlm/training.yaml": text, "src/a.md": "x"})
    done = refused(desk)
    assert f"training.yaml:{place}" in done.err
    assert words in done.err
    assert "frontmatter" not in done.err


def test_rules_that_are_not_utf8_or_too_large_or_no_file(desk: Desk) -> None:
    write(desk, {"src/.dlm/ignore": "a\n" * 600_000})
    assert "these rules cannot be read: 1200000 bytes" in refused(desk).err
    (desk.folder / "src/.dlm/ignore").unlink()
    (desk.folder / "src/.dlm/training.yaml").write_bytes(b"\xff")
    assert "is not UTF-8" in refused(desk).err


def test_a_document_s_glob_that_stands_for_too_many_is_an_error(desk: Desk) -> None:
    write(desk, {"src/a.md": "x"})
    assert "stands for more than 1000 globs" in refused(desk, exclude=["{a,b}" * 12]).err


def test_tags_and_weights(desk: Desk) -> None:
    write(
        desk,
        {
            "src/.dlm/training.yaml": (
                "metadata: {kind: doc, old: true}\nweights:\n  kind: {doc: 2, code: 3}\n  old: {true: 1}\n"
            ),
            "src/code/.dlm/training.yaml": "metadata: {kind: code}\nweights: {old: {true: 0.5}}\n",
            "src/dead/.dlm/training.yaml": "metadata: {kind: dead}\nweights: {kind: {dead: 0}}\n",
            "src/a.md": "Alpha.",
            "src/code/b.md": "Beta.",
            "src/dead/c.md": "Gamma.",
        },
    )
    done = desk.dlm("check", document(desk), "--json", "--sources")
    found = {one["name"]: one for one in done.json["sources"]["decisions"]}
    assert (found["a.md"]["tags"], found["a.md"]["weight"]) == ({"kind": "doc", "old": "true"}, 2)
    assert (found["code/b.md"]["tags"], found["code/b.md"]["weight"]) == ({"kind": "code", "old": "true"}, 1.5)
    assert found["dead/c.md"]["rule"]["kind"] == "weight"
    assert 1 + 2 + 1 <= done.json["rows"] <= 1 + 2 + 2


def test_a_run_trains_a_row_as_often_as_its_weight_says_and_asks_it_once(desk: Desk) -> None:
    write(desk, {"src/.dlm/training.yaml": "metadata: {a: b}\nweights: {a: {b: 3}}\n", "src/a.md": "Alpha."})
    run = desk.run(document(desk))
    assert run.code == 0, run.err
    (phase,) = run.event("plan")["plan"]["phases"]
    assert phase["rows"] == 1 + 3
    assert len(run.event("exam")["exam"]["sections"]) == 2


def test_weights_are_kept_by_a_seeded_hash() -> None:
    rows = [Row("text", {"text": "x"}, Span(1), section_id=f"{number:016x}", source="s") for number in range(4000)]
    weights = {(row.section_id, "s"): 1.25 for row in rows}
    once, again, other = (list(weigh(rows, weights, seed)) for seed in (1, 1, 2))
    assert [id(row) for row in once] == [id(row) for row in again] != [id(row) for row in other]
    assert 4900 < len(once) < 5100
    assert {copies(0.0, row, 7) for row in rows} == {0}
    assert {copies(2.0, row, 7) for row in rows} == {2}


class Cards:
    """A plugin whose reader knows on which line of a file a section begins."""

    @staticmethod
    @hookimpl
    def dlm_source_readers() -> list[SourceReader]:
        class CardReader(SourceReader):
            name = "cards"
            suffixes = frozenset({".cards", ".zip"})

            def read(self, data: bytes, name: str) -> Iterator[tuple[str, str, Mapping[str, str], int]]:
                at = 1
                for card in data.decode().split("---\n"):
                    yield "instruction", card.strip("\n"), {}, at
                    at += card.count("\n") + 1

        return [CardReader()]


def test_a_reader_s_lines_are_those_of_problems(desk: Desk) -> None:
    desk.use(Cards())
    write(desk, {"src/a.cards": "### Q\nWho?\n### A\nIlse.\n---\n### Q\nWhere?\n"})
    done = refused(desk)
    assert "a.cards:6:1" in done.err
    assert "DLM0223" in done.err


def test_a_suffix_that_a_reader_claims_is_not_left_out(desk: Desk) -> None:
    write(desk, {"src/a.zip": "### Q\nWho?\n### A\nIlse.\n"})
    assert decided(desk) == {"a.zip": "built-in *.zip"}
    desk.use(Cards())
    assert decided(desk) == {"a.zip": "taken"}
