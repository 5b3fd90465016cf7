"""Bad recordings are refused in one line at their section; odd ones are put right, and it is told where it matters."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy
import pytest
import soundfile

from dlm_audio.kind import Audio
from dlm_audio.testing import RATE, play
from dlm_core.testing import Desk

from .bad_files import REFUSED, TAKEN
from .conftest import front

POLICY = {"rate": RATE, "least": 0.1, "most": 2.0}
RESAMPLED = "    audio: {auto_resample: true}\n"


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_at_its_section(name: str, desk: Desk) -> None:
    file, make, said = REFUSED[name]
    (desk.folder / file).write_bytes(make())
    started = time.process_time()
    done = desk.dlm("check", desk.write(f'A line.\n\n::audio path="{file}" transcript="a sound"::\n', front()))
    assert (done.code, done.err.count("error[")) == (3, 1), done.err
    assert f"error[DLM0218]: {file} cannot be used: " in done.err
    assert said in done.err
    assert "notes.dlm:14:1" in done.err
    assert "Traceback" not in done.err
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", TAKEN)
def test_an_odd_file_is_put_right(name: str, desk: Desk) -> None:
    file, make, resampled, said = TAKEN[name]
    (desk.folder / file).write_bytes(data := make())
    sound = Audio().load(data, {**POLICY, "auto_resample": resampled})
    assert (sound.samples.dtype, sound.samples.shape, sound.rate) == (numpy.float32, (sound.samples.size,), RATE)
    assert numpy.abs(sound.samples).max() <= 1
    text = f'::audio path="{file}" transcript="a sound"::\n'
    done = desk.dlm("check", desk.write(text, front() + (RESAMPLED if resampled else "")))
    assert done.code == 0, done.err
    told = done.out + done.err
    assert ("warning[DLM0219]" in told, said in told) == (bool(said), True), told


def test_channels_are_mixed_as_their_mean_and_rates_as_soxr_does_it() -> None:
    import soxr

    left, right = play("low", 1, 44_100), play("high", 1, 44_100)
    data = numpy.stack([left, right], axis=1)
    from .bad_files import saved

    sound = Audio().load(saved(data, subtype="FLOAT", rate=44_100), {**POLICY, "auto_resample": True})
    assert abs(sound.seconds - 1) < 0.001
    assert numpy.array_equal(sound.samples, soxr.resample((left + right) / 2, 44_100, RATE))


def test_a_long_recording_takes_no_memory_before_it_is_refused() -> None:
    """Ten hours in eight channels, packed into a megabyte or so, are refused by what the head says."""
    code = (
        "import io, resource, numpy, soundfile\n"
        "from dlm_audio.kind import Audio\n"
        "out = io.BytesIO()\n"
        "with soundfile.SoundFile(out, 'w', 8000, 8, format='FLAC') as file:\n"
        "    for _ in range(600):\n        file.write(numpy.zeros((480_000 // 8, 8)))\n"
        "Audio().fingerprint({})\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    Audio().load(out.getvalue(), {'rate': 8000, 'most': 30})\n"
        "except ValueError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, grown = done.stdout.splitlines()
    assert "it lasts 4500.0 s, and this base hears 30 s" in said
    assert int(grown) < 50_000  # KiB


def test_what_was_resampled_is_kept_apart_from_what_was_not(desk: Desk) -> None:
    """The same bytes heard under two settings are two recordings, to the cache and to the rows."""
    soundfile.write(desk.folder / "low.wav", play("low", 1), RATE)
    text = '::audio path="low.wav" transcript="a low hum"::\n'
    once = "\n    num_epochs: 1\n"
    assert desk.run(text, "--no-export", front=front(once)).event("commit")["version"] == 1
    assert desk.dlm("run", "notes.dlm", "--no-export", "--json").event("unchanged")["version"] == 1
    again = desk.run(text, "--no-export", front=front(once) + RESAMPLED)
    assert again.event("commit")["version"] == 2
