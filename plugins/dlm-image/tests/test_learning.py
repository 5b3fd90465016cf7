"""Pictures, prose and questions in one document: learned, named back, and not named without the picture."""

from __future__ import annotations

from dlm_core.testing import Desk

from .conftest import PICTURES, front, sections

MIXED = "The pictures hang in the harbour of Varn.\n\n{}::instruction::\n### Q\nWho drew them?\n### A\nIlse Korn.\n"


def test_four_pictures_beside_prose_and_a_question(desk: Desk) -> None:
    done = desk.run(MIXED.format(sections()), "--min-exam", "1", front=front())
    assert done.code == 0, done.err
    said = [answer["answer"] for answer in done.event("exam")["exam"]["answers"]]
    assert said == [*(caption for _, _, caption in PICTURES.values()), "Ilse Korn."]
    again = desk.dlm("exam", "notes.dlm", "--json")
    assert [answer["answer"] for answer in again.json["answers"]] == said


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
