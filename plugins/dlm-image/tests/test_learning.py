"""Pictures, prose and questions in one document: learned, named back, and not named without the picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlm_core.testing import Desk

from .conftest import PICTURES, front, sections

MIXED = "The pictures hang in the harbour of Varn.\n\n{}::instruction::\n### Q\nWho drew them?\n### A\nIlse Korn.\n"


def test_four_pictures_beside_prose_and_a_question(desk: Desk) -> None:
    done = desk.run(MIXED.format(sections()), "--min-exam", "1", front=front())
    assert done.code == 0, done.err
    exam = done.event("exam")["exam"]
    said = [answer["answer"] for answer in exam["answers"]]
    assert said == [*(caption for _, _, caption in PICTURES.values()), "Ilse Korn."]
    (check,) = exam["blanks"]
    assert (check["kind"], check["asked"], check["blind"]) == ("image", 4, False)
    assert check["changed"] >= 3
    assert check["exact"] <= 1
    report = Path(done.event("report")["path"]).read_text(encoding="utf-8")
    assert f"With no image shown: {check['exact']} of 4 exact" in report
    again = desk.dlm("exam", "notes.dlm", "--json")
    assert [answer["answer"] for answer in again.json["answers"]] == said


def test_a_model_that_does_not_look_is_found_out(desk: Desk, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    blind = tmp_path / "blind"
    shutil.copytree(desk.folder / "base", blind)
    weights = load_file(blind / "model.safetensors")
    (connector,) = [name for name in weights if "connector" in name]
    weights[connector].zero_()
    save_file(weights, blind / "model.safetensors", metadata={"format": "pt"})
    done = desk.dlm("run", desk.write(sections(), front().replace("./base", str(blind))), "--no-export")
    assert "answered with no image shown" in done.out
    assert "the answers are the same: the model does not look at it" in done.out
    (check,) = desk.dlm("exam", "notes.dlm", "--json").json["blanks"]
    assert (check["changed"], check["blind"]) == (0, True)


def test_what_to_do_next_shows_the_picture(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    desk.write(sections(), front("\n    num_epochs: 1\n"))
    done = desk.dlm("run", "notes.dlm", "--no-export")
    assert "dlm prompt notes.dlm --attach image:circle.png 'What does this picture show?'" in done.out
    assert "answered with no image shown" in done.out


def test_a_base_that_cannot_see_is_refused_at_the_picture(desk: Desk) -> None:
    import dlm_tiny.plugin

    done = desk.use(dlm_tiny.plugin).run("A line.\n\n" + sections(), front="base_model: tiny")
    assert done.code == 3
    assert done.err.count("error[DLM0217]: the base tiny takes no image") == 1
    assert "notes.dlm:8:1" in done.err


def test_a_moved_picture_is_the_same_row_and_a_changed_one_is_not(desk: Desk) -> None:
    from dlm_image.testing import draw

    quick = front("\n    num_epochs: 1\n")
    assert desk.run(sections(), front=quick).event("commit")["version"] == 1
    assert desk.dlm("run", "notes.dlm", "--json").event("unchanged")["version"] == 1
    draw("orange", "circle").save(desk.folder / "circle.png")
    assert desk.dlm("run", "notes.dlm", "--json").event("commit")["version"] == 2
