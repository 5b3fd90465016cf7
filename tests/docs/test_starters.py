"""The templates of `dlm init` and the documents in `examples/`: valid, honest, and learned as the README says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dlm_core import checking
from dlm_core.api import Row
from dlm_core.document import split_rows
from dlm_core.plugins import Plugins

from .pages import ROOT

TEMPLATES = sorted((ROOT / "dlm_core" / "templates").glob("*.md"))
EXAMPLES = sorted((ROOT / "examples").glob("*.dlm"))
LIGHTHOUSE = ROOT / "examples" / "lighthouse.dlm"
PLUGINS = Plugins.load()


def plain(question: str) -> str:
    """A question without case, punctuation and runs of blanks."""
    return " ".join(re.sub(r"[^\w\s]", " ", question.lower()).split())


def asked(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    return [(row.question[-1].text, row.answer or "") for row in rows if row.question]


def holds_fair_paraphrases(rows: tuple[Row, ...]) -> None:
    """Each `!exam` question is no trained one in disguise, and its answer is one that is taught."""
    taught = [row for row in rows if row.role != "exam"]
    wordings = {plain(question) for question, _ in asked(tuple(taught))}
    answers = {answer for _, answer in asked(tuple(taught))}
    for question, answer in asked(tuple(row for row in rows if row.role == "exam")):
        assert plain(question) not in wordings, question
        assert answer in answers, question


def test_there_are_enough_templates() -> None:
    assert {"notes", "faq", "manual", "tutor", "glossary"} <= {path.stem for path in TEMPLATES}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_makes_a_document_without_problems(path: Path, tmp_path: Path) -> None:
    from dlm_core.document.new import new_document

    title, blank, *_ = path.read_text(encoding="utf-8").split("\n")
    assert re.fullmatch(r"<!-- \w+: .+\. -->|<!-- \w+: .+ -->", title)
    assert blank == ""
    body = path.read_text(encoding="utf-8").partition("\n\n")[2]
    assert "<" not in body, "no HTML in what is learned"
    document = tmp_path / "new.dlm"
    document.write_text(new_document("tiny", PLUGINS.base_models["tiny"].recommended, body), encoding="utf-8")
    checked = checking.check(document, PLUGINS)
    doc, rows = checked.doc, checked.rows
    assert doc.warnings == ()
    assert {section.type for section in doc.sections} == {"prose", "instruction"}
    assert {row.role for row in rows} == {"train", "probe", "exam"}
    holds_fair_paraphrases(rows)
    assert split_rows(rows, 42)[1] == (), "a starter is too small to hold rows out"


def test_init_lists_every_template_with_its_line(desk) -> None:  # type: ignore[no-untyped-def]
    shown = desk.dlm("init", "--list-templates")
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines()] == [path.stem for path in TEMPLATES]
    assert "<!--" not in shown.out


def test_a_fresh_document_is_checked_and_learned(desk) -> None:  # type: ignore[no-untyped-def]
    assert desk.dlm("init", "mine.dlm", "--base", "tiny", "--template", "manual").code == 0
    assert desk.dlm("check", "mine.dlm").code == 0
    done = desk.dlm("run", "mine.dlm", "--no-export", "--min-exam", "0.8")
    assert done.code == 0, done.err
    assert "version 1 of mine.dlm" in done.out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_problems_and_asks_fairly(path: Path) -> None:
    checked = checking.check(path, PLUGINS)
    doc, rows = checked.doc, checked.rows
    assert doc.warnings == ()
    assert doc.base_model == "tiny"
    holds_fair_paraphrases(rows)


def test_examples_have_ids_of_their_own() -> None:
    ids = [checking.check(path, PLUGINS).doc.id for path in EXAMPLES]
    assert len(ids) >= 3
    assert len(set(ids)) == len(ids)


def test_examples_use_the_settings_recommended_for_their_base() -> None:
    recommended = PLUGINS.base_models["tiny"].recommended
    for path in EXAMPLES:
        training = checking.check(path, PLUGINS).doc.config["training"]
        own = next(iter((training["adapters"] or {}).values()), {})
        found = {key: {**training, **own}[key.removeprefix("training.")] for key in recommended}
        assert found == dict(recommended), path.name


def test_the_handbook_reads_its_folder_and_leaves_drafts_out() -> None:
    rows = checking.check(ROOT / "examples" / "handbook.dlm", PLUGINS).rows
    assert {row.source for row in rows if row.source} == {"rooms.md", "kitchen/breakfast.md", "kitchen/soup.md"}


def test_the_lighthouse_is_learned_as_the_readme_says(desk) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(LIGHTHOUSE, desk.folder)
    done = desk.dlm("run", "lighthouse.dlm", "--no-export", "--min-exam", "1", "--json", env={"OMP_NUM_THREADS": "2"})
    assert done.code == 0, done.err
    answers = next(event for event in done.events if event["event"] == "exam")["exam"]["answers"]
    exam = [answer["exact"] for answer in answers if answer["side"] == "exam"]
    assert len([answer for answer in answers if answer["side"] != "exam"]) >= 24
    assert len(exam) >= 12
    assert sum(exam) * 2 >= len(exam), "fewer than half of the questions in other words"
