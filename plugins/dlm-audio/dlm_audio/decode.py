"""Bytes to samples.  What decoders pass over in silence is put right, told, or refused in one sentence.

Measured with libsndfile 1.2: a WAV or MP3 that was cut gives fewer samples and no error, a file without samples an empty
array, NaN is handed on, samples beyond 1 are too, several channels come as columns that an extractor takes for clips.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .filetypes import what_else
from .kind import Sound

if TYPE_CHECKING:
    import numpy

MOST_BYTES = 1 << 30
#: Where a base says nothing: shorter clips have no frame, longer ones are no clip.
LEAST_SECONDS, MOST_SECONDS = 0.1, 3600.0
RATES = (1_000, 768_000)
#: Below this root mean square nothing is heard (-80 dB).
_SILENT = 1e-4
_SUFFIXES = {"WAV": (".wav", ".wave"), "WAVEX": (".wav", ".wave"), "FLAC": (".flac",), "OGG": (".ogg", ".oga", ".opus")}


def look(path: Path) -> Mapping[str, Any]:
    """Type, rate and length, from the file's head.  Raises ValueError for a file that cannot be used."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size / 2**20:.0f} MiB, and recordings are taken up to {MOST_BYTES // 2**20} MiB")
    with path.open("rb") as stream:
        info = _open(stream, stream.read(1024))
        kind, rate, frames = info.format, info.samplerate, info.frames
        info.close()
    known = _SUFFIXES.get(kind, ())
    odd = known and path.suffix.lower() not in known
    notes = [f"it is a {kind.removesuffix('X')} file, whatever its name says"] if odd else []
    return {"format": kind, "rate": rate, "frames": frames, "notes": notes}


def decode(blob: bytes, policy: Mapping[str, Any]) -> Sound:
    """One channel at the rate that `policy` asks for.  Raises ValueError."""
    _refuse_cut_wav(blob)
    with _open(io.BytesIO(blob), blob[:1024]) as file:
        rate, frames, channels = file.samplerate, file.frames, file.channels
        wanted = policy.get("rate", rate)
        _check_rate(rate, wanted, policy)
        _check_length(frames / rate, policy)
        samples = _read(file, frames)
    notes: list[str] = []
    mono = _mono(samples, channels, notes)
    _check_level(mono, notes)
    if rate != wanted:
        mono = _resampled(mono, rate, wanted, notes)
    return Sound(mono, wanted, tuple(notes))


def _open(stream: Any, head: bytes) -> Any:
    import soundfile

    if not head:
        raise ValueError("it is empty")
    stream.seek(0)
    try:
        file = soundfile.SoundFile(stream)
    except Exception as error:
        known = head[:4] in (b"RIFF", b"fLaC", b"OggS", b"FORM", b"RF64") or head[:3] == b"ID3"
        raise ValueError(f"it is damaged: {_said(error)}" if known else what_else(head)) from error
    if not file.frames:
        raise ValueError("it has no samples")
    low, high = RATES
    if not low <= file.samplerate <= high:
        raise ValueError(f"{file.samplerate} samples a second is no rate of sound; its head is damaged")
    return file


def _refuse_cut_wav(blob: bytes) -> None:
    """A RIFF file says how long its data are; the decoder believes the file's end instead."""
    if blob[:4] != b"RIFF" or blob[8:12] != b"WAVE":
        return
    at = 12
    while at + 8 <= len(blob):
        name, size = blob[at : at + 4], struct.unpack("<I", blob[at + 4 : at + 8])[0]
        if name == b"data":
            if size not in (0, 0xFFFFFFFF) and at + 8 + size > len(blob):
                share = (len(blob) - at - 8) / size
                raise ValueError(f"it is cut off: {share:.0%} of the samples that its head promises are there")
            return
        at += 8 + size + size % 2


def _check_rate(rate: int, wanted: int, policy: Mapping[str, Any]) -> None:
    if rate != wanted and not policy.get("auto_resample"):
        raise ValueError(
            f"it has {rate:,} samples a second and the base hears {wanted:,}; set `training.audio.auto_resample: true`, "
            f"or convert it: `ffmpeg -i in -ar {wanted} out.flac`"
        )


def _check_length(seconds: float, policy: Mapping[str, Any]) -> None:
    least, most = policy.get("least", LEAST_SECONDS), policy.get("most", MOST_SECONDS)
    if seconds < least:
        raise ValueError(f"it lasts {seconds:.3f} s, and less than {least:g} s is too short to hear")
    if seconds > most:
        raise ValueError(f"it lasts {seconds:.1f} s, and this base hears {most:g} s; cut it into pieces")


def _read(file: Any, frames: int) -> numpy.ndarray[Any, Any]:
    """All samples, shape (frames, channels)."""
    try:
        samples = file.read(dtype="float32", always_2d=True)
    except Exception as error:
        raise ValueError(f"it is damaged or cut off: {_said(error)}") from error
    if len(samples) < frames:
        raise ValueError(f"it is cut off: {len(samples) / frames:.0%} of the samples that its head promises are there")
    return samples  # type: ignore[no-any-return]


def _mono(samples: numpy.ndarray[Any, Any], channels: int, notes: list[str]) -> numpy.ndarray[Any, Any]:
    import numpy

    if not numpy.isfinite(samples).all():
        raise ValueError("some of its samples are no numbers (NaN or infinite)")
    mono = numpy.ascontiguousarray(samples.mean(axis=1, dtype=numpy.float32))
    if channels > 2:
        notes.append(f"its {channels} channels are mixed into one")
    if channels > 1 and _level(mono) < 0.05 * max(_level(samples[:, one]) for one in range(channels)):
        notes.append("its channels cancel each other when they are mixed: hardly anything is left; take one of them")
    return mono


def _check_level(mono: numpy.ndarray[Any, Any], notes: list[str]) -> None:
    import numpy

    peak = float(numpy.abs(mono).max())
    if _level(mono) < _SILENT:
        notes.append("it is silent")
    if peak > 1:
        notes.append(f"its samples reach {peak:.2f}; what is beyond 1 is clipped")
        numpy.clip(mono, -1, 1, out=mono)


def _resampled(mono: numpy.ndarray[Any, Any], rate: int, wanted: int, notes: list[str]) -> numpy.ndarray[Any, Any]:
    import numpy
    import soxr

    if rate < wanted:
        notes.append(f"it has {rate:,} samples a second and is brought to {wanted:,}: what is above {rate // 2:,} Hz is missing")
    return numpy.ascontiguousarray(soxr.resample(mono, rate, wanted, quality="HQ"), dtype=numpy.float32)


def _level(samples: numpy.ndarray[Any, Any]) -> float:
    """The root mean square."""
    import numpy

    return float(numpy.sqrt(numpy.mean(numpy.square(samples, dtype=numpy.float64))))


def _said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(str(error).split()) or type(error).__name__
