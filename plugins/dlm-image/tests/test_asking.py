"""Pictures attached to a question: `--attach`, its short form, `/attach` in a conversation, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_core.testing import Desk

from .conftest import PICTURES, front, sections


@pytest.fixture
def trained(desk: Desk) -> Desk:
    assert desk.run(sections(), "--no-export", front=front()).code == 0
    return desk


def test_a_picture_is_asked_about(trained: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.folder)
    for name, (_, _, caption) in PICTURES.items():
        assert trained.dlm("prompt", "notes.dlm", "--attach", f"image:{name}.png").out == f"{caption}\n"
    asked = "What does this picture show?"
    short = trained.dlm("prompt", "notes.dlm", "--image", "circle.png", asked, "--json").json
    assert (short["question"], short["answer"]) == (asked, "a red circle")
    assert short["attachments"] == [{"kind": "image", "path": str(trained.folder / "circle.png")}]
    assert "attachments" not in trained.dlm("prompt", "notes.dlm", "Who?", "--json").json
    both = trained.dlm("prompt", "notes.dlm", "--image=cross.png", "--attach", "image:circle.png", "--json").json
    assert [Path(one["path"]).name for one in both["attachments"]] == ["cross.png", "circle.png"]


def test_a_conversation_is_shown_pictures(trained: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.folder)
    asked = "What does this picture show?"
    said = trained.dlm(
        "chat",
        "notes.dlm",
        "--image",
        "square.png",
        stdin=f"{asked}\n/new\n/attach image:gone.png\n/attach image:circle.png\n{asked}\n",
    )
    assert said.out.splitlines() == ["a blue square", "a red circle"]
    assert "cannot read" in said.err
    assert "gone.png" in said.err


def test_what_cannot_be_attached(trained: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.folder)
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    for words, said in (
        (("--attach", "circle.png"), "write the kind before it"),
        (("--attach", "imagee:circle.png"), "did you mean `image`?"),
        (("--attach", "smell:circle.png"), "there are: image"),
        (("--image", "gone.png"), "no such file"),
        (("--image", "broken.png"), "broken.png cannot be used: "),
        (("--image", "notes.dlm"), "it is text, not a picture"),
        (("--image",), "requires an argument"),
    ):
        done = trained.dlm("prompt", "notes.dlm", *words)
        assert (done.code, said in done.err, "Traceback" in done.err) == (2, True, False), done.err


def test_a_base_that_cannot_see_is_shown_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import dlm_tiny.plugin

    monkeypatch.chdir(desk.folder)
    quick = "base_model: tiny\ntraining:\n    num_epochs: 1\n"
    assert desk.use(dlm_tiny.plugin).run("A line.\n", "--no-export", front=quick).code == 0
    done = desk.dlm("prompt", "notes.dlm", "--image", "circle.png")
    assert done.code == 2
    assert "the base tiny takes no image" in done.err


def test_help_names_each_kind(desk: Desk) -> None:
    assert "--image FILE" in desk.dlm("prompt", "--help").out
    assert "Short for --attach image:PATH." in desk.dlm("chat", "--help").out


def test_a_picture_that_is_not_there_is_told_once(desk: Desk) -> None:
    body = '::image path="gone.png"::\na ghost\n\n::image path="circle.png"::\n'
    desk.write(body, front())
    done = desk.dlm("check", "notes.dlm")
    assert done.code == 3
    assert [done.err.count(f"error[{code}]") for code in ("DLM0215", "DLM0225", "IMAGE0001")] == [1, 0, 1], done.err
