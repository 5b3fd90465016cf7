"""Pictures of a source: each captioned by its name, whatever of the seven types it is."""

from __future__ import annotations

import pytest

from dlm_core.testing import Desk
from dlm_image.testing import draw

from .conftest import front

FROM_FOLDER = "    sources: [{path: pictures}]\n"
#: The file's name, what is drawn, and the caption that the name stands for.
DRAWN = {
    "a_red-circle.png": ("red", "circle", "a red circle"),
    "a_blue_square.jpg": ("blue", "square", "a blue square"),
    "green stripes.webp": ("green", "stripes", "green stripes"),
    "a-black-cross.bmp": ("black", "cross", "a black cross"),
}


@pytest.fixture
def folder(desk: Desk) -> Desk:
    (desk.folder / "pictures").mkdir()
    for name, (colour, shape, _) in DRAWN.items():
        draw(colour, shape).save(desk.folder / "pictures" / name)
    return desk


def test_a_folder_of_pictures_is_learned_by_their_names(folder: Desk) -> None:
    done = folder.run("The pictures of Varn.\n", "--min-exam", "1", "--no-export", front=front() + FROM_FOLDER)
    assert done.code == 0, done.err
    answers = {answer["answer"] for answer in done.event("exam")["exam"]["answers"]}
    assert answers == {caption for _, _, caption in DRAWN.values()}


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tiff"])
def test_each_of_the_seven_types_is_taken(desk: Desk, suffix: str) -> None:
    (desk.folder / "pictures").mkdir()
    draw("red", "circle").save(desk.folder / "pictures" / f"circle.{suffix}")
    path = desk.write("A line.\n", front() + FROM_FOLDER)
    assert desk.dlm("check", path, "--json").json["rows"] == 2


def test_a_name_that_says_nothing_is_left_out_and_told(folder: Desk) -> None:
    draw("red", "circle").save(folder.folder / "pictures" / "__.png")
    told = folder.dlm("check", folder.write("A line.\n", front() + FROM_FOLDER))
    assert "its name says nothing of what it shows" in told.out + told.err
