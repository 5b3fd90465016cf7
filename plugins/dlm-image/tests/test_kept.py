"""Decoded pictures are kept: a second run decodes none, a moved file costs nothing, a changed one is one row."""

from __future__ import annotations

from typing import Any

import pytest

from dlm_core.testing import Desk
from dlm_image.testing import draw

from .conftest import PICTURES, front, sections

BODY = f"The pictures hang in the harbour of Varn.\n\n{sections()}"
QUICK = front("\n    num_epochs: 1\n")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the files that were decoded since it was last cleared."""
    from dlm_image import decode as module

    found: list[int] = []
    decode = module.decode

    def counting(blob: bytes, longest: int | None) -> Any:
        found.append(len(blob))
        return decode(blob, longest)

    monkeypatch.setattr(module, "decode", counting)
    return found


@pytest.fixture
def once(desk: Desk, decoded: list[int], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose document was run: the run decoded each picture once, whatever it needed them for."""
    monkeypatch.chdir(desk.folder)
    done = desk.run(BODY, "--no-export", front=QUICK)
    assert done.event("commit")["version"] == 1, done.err
    assert len(decoded) == len(PICTURES)
    decoded.clear()
    return desk


def misses(events: list[dict[str, Any]]) -> int:
    return sum(event["misses"] for event in events if event["event"] == "cache")


def test_a_second_run_decodes_no_picture(once: Desk, decoded: list[int]) -> None:
    done = once.dlm("run", "notes.dlm", "--no-export", "--force", "--json")
    assert done.event("commit")["version"] == 2
    assert (decoded, misses(done.events)) == ([], 0)
    assert once.dlm("prompt", "notes.dlm", "--image", "circle.png").code == 0
    assert decoded == []


def test_the_cache_says_what_it_keeps(once: Desk, decoded: list[int]) -> None:
    (files,) = once.dlm("cache", "show", "--json").json["media"]
    assert (files["kind"], files["rows"], files["hits"] > 0) == ("image", 4, True)
    assert "image files" in once.dlm("cache", "show").out
    groups = once.dlm("cache", "explain", "notes.dlm", "--json").json["groups"]
    assert [(one["rows"], one["kept"]) for one in groups if one["sort"] == "image"] == [(4, True)]
    once.dlm("cache", "clear")
    once.dlm("run", "notes.dlm", "--no-export", "--force")
    assert len(decoded) == len(PICTURES)


def test_without_the_cache_every_look_is_a_new_one(desk: Desk, decoded: list[int]) -> None:
    off = QUICK + "\n    cache: {enabled: false}\n"
    assert desk.run(BODY, "--no-export", front=off).code == 0
    assert len(decoded) > len(PICTURES)
    found = desk.dlm("cache", "explain", "notes.dlm", "--json").json
    (group,) = [one for one in found["groups"] if one["sort"] == "image"]
    assert (group["why"], group["lines"]) == ("never decoded", [12, 15, 18, 21])


def test_a_moved_picture_costs_nothing(once: Desk, decoded: list[int]) -> None:
    (once.folder / "hall").mkdir()
    (once.folder / "circle.png").rename(once.folder / "hall" / "first.png")
    once.write(BODY.replace("circle.png", "hall/first.png"), QUICK)
    done = once.dlm("run", "notes.dlm", "--no-export", "--json")
    assert done.event("unchanged")["version"] == 1
    assert (decoded, misses(done.events)) == ([], 0)


def test_a_changed_picture_is_one_changed_row(once: Desk, decoded: list[int]) -> None:
    draw("orange", "circle").save(once.folder / "circle.png")
    start = once.dlm("plan", "notes.dlm", "--json").json["start"]
    assert [start[name] for name in ("new", "changed", "gone", "replayed")] == [0, 1, 0, 4]
    assert once.dlm("run", "notes.dlm", "--no-export", "--json").event("commit")["version"] == 2
    assert len(decoded) == 1


def test_a_damaged_entry_is_decoded_again(once: Desk, decoded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    from dlm_image import kind

    monkeypatch.setattr(kind, "_MAGIC", b"RGB2")  # what is kept is of another version now
    assert once.dlm("run", "notes.dlm", "--no-export", "--force").code == 0
    assert len(decoded) == len(PICTURES)
