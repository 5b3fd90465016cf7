"""Sounds, prose and questions in one document: learned, named back, and not named without the sound."""

from __future__ import annotations

import pytest
import soundfile

from dlm_audio.testing import play
from dlm_core.testing import Desk

from .conftest import SOUNDS, front, sections

MIXED = "The sounds were recorded in Varn.\n\n{}::instruction::\n### Q\nWho recorded them?\n### A\nIlse Korn.\n"


def test_four_sounds_beside_prose_and_a_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    done = desk.run(MIXED.format(sections()), "--min-exam", "1", front=front())
    assert done.code == 0, done.err
    exam = done.event("exam")["exam"]
    assert [answer["answer"] for answer in exam["answers"]] == [*SOUNDS.values(), "Ilse Korn."]
    (check,) = exam["blanks"]
    assert (check["kind"], check["asked"], check["blind"]) == ("audio", 4, False)
    monkeypatch.chdir(desk.folder)
    assert desk.dlm("prompt", "notes.dlm", "--audio", "noise.wav").out == "rain on a roof\n"


def test_another_rate_is_refused_unless_it_may_be_changed(desk: Desk) -> None:
    soundfile.write(desk.folder / "low.wav", play("low", rate=44_100), 44_100)
    done = desk.dlm("check", desk.write(sections(), front()))
    assert done.code == 3
    assert (
        "it has 44,100 samples a second and the base hears 16,000; set `training.audio.auto_resample: true`" in done.err
    )
    assert desk.dlm("check", desk.write(sections(), front() + "    audio: {auto_resample: true}\n")).code == 0
