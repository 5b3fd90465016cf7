"""Recordings of a source, each with its transcript in the text file beside it."""

from __future__ import annotations

import shutil

import pytest
import soundfile

from dlm_audio.testing import RATE, play
from dlm_core.testing import Desk

from .conftest import SOUNDS, front

FROM_FOLDER = "\n    sources: [{path: sounds}]\n"


@pytest.fixture
def folder(desk: Desk) -> Desk:
    """The four sounds in a folder, one of each type that the reader takes, with their transcripts beside them."""
    (desk.folder / "sounds").mkdir()
    for (name, said), suffix in zip(SOUNDS.items(), ("wav", "flac", "ogg", "mp3"), strict=True):
        soundfile.write(desk.folder / f"sounds/{name}.{suffix}", play(name), RATE)
        (desk.folder / f"sounds/{name}.txt").write_text(f"{said}\n")
    return desk


def test_a_folder_of_recordings_is_learned(folder: Desk) -> None:
    done = folder.run("The sounds of Varn.\n", "--min-exam", "1", "--no-export", front=front() + FROM_FOLDER[1:])
    assert done.code == 0, done.err
    answers = {answer["answer"] for answer in done.event("exam")["exam"]["answers"]}
    assert answers == set(SOUNDS.values())


def test_a_transcript_is_no_text_of_its_own(folder: Desk) -> None:
    (folder.folder / "sounds/about.txt").write_text("Ilse Korn recorded them.\n")
    path = folder.write("A line.\n", front(FROM_FOLDER))
    report = folder.dlm("check", path, "--json").json
    assert report["rows"] == 6
    told = folder.dlm("show", path, "--why", "sounds/low.txt")
    assert "it describes low.wav" in told.out


def test_a_changed_transcript_is_a_changed_row(folder: Desk) -> None:
    once = FROM_FOLDER + "    num_epochs: 1\n"
    assert folder.run("A line.\n", "--no-export", front=front(once)).event("commit")["version"] == 1
    assert folder.dlm("run", "notes.dlm", "--no-export", "--json").event("unchanged")["version"] == 1
    (folder.folder / "sounds/low.txt").write_text("a deep hum\n")
    done = folder.dlm("run", "notes.dlm", "--no-export", "--json")
    assert done.event("commit")["version"] == 2


def test_a_recording_without_a_transcript_is_an_error_that_names_it(folder: Desk) -> None:
    (folder.folder / "sounds/low.txt").unlink()
    done = folder.dlm("check", folder.write("A line.\n", front(FROM_FOLDER)))
    assert done.code == 3
    assert "error[AUDIO0001]: low.wav: this recording has no transcript" in done.err
    assert "low.txt" in done.err


def test_a_link_in_a_transcript_s_place_is_not_followed(folder: Desk) -> None:
    shutil.move(folder.folder / "sounds/low.txt", folder.folder / "elsewhere.txt")
    (folder.folder / "sounds/low.txt").symlink_to(folder.folder / "elsewhere.txt")
    done = folder.dlm("check", folder.write("A line.\n", front(FROM_FOLDER)))
    assert (done.code, "error[AUDIO0001]" in done.err) == (3, True)
