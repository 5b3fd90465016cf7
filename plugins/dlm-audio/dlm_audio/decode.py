"""Bytes to samples.  What decoders pass over in silence is put right, told, or refused in one sentence.

Measured with libsndfile 1.2: a WAV or MP3 that was cut gives fewer samples and no error, a file without samples an
empty array; NaN and samples beyond 1 are handed on; channels come as columns that an extractor takes for clips.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cut
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
#: Below this part of its loudest channel, a mix has lost what it was made of.
_CANCELLED = 0.05
#: So many frames are what the decoder says of a stream that does not tell its length.
_UNKNOWN = 1 << 62
#: Frames read at a time, so that channels never lie in memory as wholes.
_BLOCK = 1 << 16
_SUFFIXES = {
    "WAV": (".wav", ".wave"),
    "WAVEX": (".wav", ".wave"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
}


def look(path: Path) -> Mapping[str, Any]:
    """Type, rate and length, from the file's head.  Raises ValueError for a file that cannot be used."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size / 2**20:.0f} MiB, and recordings are taken up to {MOST_BYTES // 2**20} MiB")
    with path.open("rb") as stream:
        info = _open(stream, stream.read(1024))
        kind, rate, frames = info.format, info.samplerate, info.frames
        info.close()
    odd = path.suffix.lower() not in _SUFFIXES[kind]
    notes = [f"it is a {kind.removesuffix('X')} file, whatever its name says"] if odd else []
    return {"format": kind, "rate": rate, "frames": frames, "notes": notes}


def decode(blob: bytes, policy: Mapping[str, Any]) -> Sound:
    """One channel at the rate that `policy` asks for.  Raises ValueError."""
    cut.refuse(blob)
    with _open(io.BytesIO(blob), blob[:1024]) as file:
        rate, channels = file.samplerate, file.channels
        wanted = policy.get("rate", rate)
        _check_rate(rate, wanted, policy)
        _check_length(file.frames / rate, policy)
        mono, loudest = _read(file)
    notes: list[str] = []
    if channels > 2:
        notes.append(f"its {channels} channels are mixed into one")
    if _level(mono) < _CANCELLED * loudest:
        notes.append("its channels cancel each other when they are mixed: hardly anything is left; take one of them")
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
        known = head[:4] in (b"RIFF", b"fLaC", b"OggS") or head[:3] == b"ID3"
        raise ValueError(f"it is damaged or cut off: {_said(error)}" if known else what_else(head)) from error
    if file.format not in _SUFFIXES:
        raise ValueError(f"it is a {file.format_info} file; convert it: `ffmpeg -i in out.flac`")
    if not file.frames:
        raise ValueError("it is cut off" if head[:4] == b"OggS" else "it has no samples")
    if file.frames > _UNKNOWN:
        raise ValueError("it does not tell its length, as a stream does; write it anew: `ffmpeg -i in out.flac`")
    low, high = RATES
    if not low <= file.samplerate <= high:
        raise ValueError(f"{file.samplerate} samples a second is no rate of sound; its head is damaged")
    return file


def _check_rate(rate: int, wanted: int, policy: Mapping[str, Any]) -> None:
    if rate != wanted and not policy.get("auto_resample"):
        raise ValueError(
            f"it has {rate:,} samples a second and the base hears {wanted:,}; set "
            f"`training.audio.auto_resample: true`, or convert it: `ffmpeg -i in -ar {wanted} out.flac`"
        )


def _check_length(seconds: float, policy: Mapping[str, Any]) -> None:
    least, most = policy.get("least", LEAST_SECONDS), policy.get("most", MOST_SECONDS)
    if seconds < least:
        raise ValueError(f"it lasts {seconds:.3f} s, and less than {least:g} s is too short to hear")
    if seconds > most:
        raise ValueError(f"it lasts {seconds:.1f} s, and this base hears {most:g} s; cut it into pieces")


def _read(file: Any) -> tuple[numpy.ndarray[Any, Any], float]:
    """The mean of the channels, shape (frames,), and the root mean square of the loudest of them."""
    import numpy

    mono = numpy.zeros(file.frames, numpy.float32)
    share = numpy.full(file.channels, 1 / file.channels, numpy.float32)
    squares = numpy.zeros(file.channels)
    at = 0
    try:
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            numpy.matmul(block, share, out=mono[at : at + len(block)])
            squares += (block.T @ block).diagonal()
            at += len(block)
    except RuntimeError as error:
        raise ValueError(f"it is damaged or cut off: {_said(error)}") from error
    if at < len(mono):
        raise ValueError(cut.said(at / len(mono)))
    if not numpy.isfinite(squares).all():
        raise ValueError("some of its samples are no numbers (NaN or infinite)")
    return mono, float(numpy.sqrt(squares.max() / at))


def _check_level(mono: numpy.ndarray[Any, Any], notes: list[str]) -> None:
    import numpy

    peak = float(max(mono.max(), -mono.min()))
    if _level(mono) < _SILENT:
        notes.append("it is silent")
    if peak > 1:
        notes.append(f"its samples reach {peak:.2f}; what is beyond 1 is clipped")
        numpy.clip(mono, -1, 1, out=mono)


def _resampled(mono: numpy.ndarray[Any, Any], rate: int, wanted: int, notes: list[str]) -> numpy.ndarray[Any, Any]:
    import numpy
    import soxr

    if rate < wanted:
        notes.append(
            f"it has {rate:,} samples a second and is brought to {wanted:,}: what is above {rate // 2:,} Hz is missing"
        )
    return numpy.ascontiguousarray(soxr.resample(mono, rate, wanted, quality="HQ"), dtype=numpy.float32)


def _level(samples: numpy.ndarray[Any, Any]) -> float:
    """The root mean square."""
    import numpy

    return float(numpy.sqrt(numpy.dot(samples, samples) / len(samples)))


def _said(error: Exception) -> str:
    """An error of the decoder in one line, without the object that it was reading from."""
    said = re.sub(r"^Error opening <.*?>: |^(Internal )?[Ee]rror ?: ", "", " ".join(str(error).split()))
    return said.rstrip(".") or type(error).__name__
