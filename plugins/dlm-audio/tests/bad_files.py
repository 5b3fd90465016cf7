"""Recordings that are no good or not what they seem: how each is made, and what is said of it."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy
import soundfile

from dlm_audio.testing import RATE, play

Make = Callable[[], bytes]


def saved(samples: Any, kind: str = "WAV", subtype: str | None = None, rate: int = RATE) -> bytes:
    """In pieces: libsndfile 1.2 crashes when it writes a long OGG at once."""
    out = io.BytesIO()
    channels = samples.shape[1] if samples.ndim > 1 else 1
    with soundfile.SoundFile(out, "w", rate, channels, subtype, format=kind) as file:
        for at in range(0, len(samples), 1 << 16):
            file.write(samples[at : at + (1 << 16)])
    return out.getvalue()


def whole(kind: str = "WAV", subtype: str | None = None, **options: Any) -> bytes:
    return saved(noise(**options), kind, subtype)


def noise(seconds: float = 1.0) -> Any:
    """Something that no encoder makes small."""
    return play("noise", seconds)


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def patched(at: int, data: bytes, kind: str = "WAV") -> bytes:
    made = bytearray(whole(kind))
    made[at : at + len(data)] = data
    return bytes(made)


def in_data(data: bytes) -> bytes:
    """A WAV whose data chunk says another size."""
    made = bytearray(whole())
    at = made.index(b"data") + 4
    made[at : at + 4] = data
    return bytes(made)


def with_sample(value: float) -> bytes:
    samples = noise()
    samples[100] = value
    return saved(samples, subtype="FLOAT")


def without_length() -> bytes:
    """A FLAC as a stream leaves it: its head does not say how many samples follow."""
    made = bytearray(whole("FLAC"))
    made[21] &= 0xF0
    made[22:26] = bytes(4)
    return bytes(made)


def columns(*channels: Any) -> bytes:
    return saved(numpy.stack(channels, axis=1))


#: name -> (file's name, bytes, a part of what is said).
REFUSED: Mapping[str, tuple[str, Make, str]] = {
    "empty": ("a.wav", lambda: b"", "it is empty"),
    "text": ("a.wav", lambda: b"RIFT, a tale\n" * 20, "it is text, not a recording"),
    "a picture": ("a.wav", lambda: b"\x89PNG\r\n\x1a\n" + bytes(90), "it is a picture"),
    "a page": ("a.mp3", lambda: b"<!DOCTYPE html><title>404</title>", "it is a web page"),
    "m4a": ("a.m4a", lambda: bytes(4) + b"ftypM4A " + bytes(90), "it is an M4A recording; convert it: `ffmpeg"),
    "mp4": ("a.mp4", lambda: bytes(4) + b"ftypisom" + bytes(90), "it is an MP4 film"),
    "webm": ("a.webm", lambda: b"\x1a\x45\xdf\xa3" + bytes(90), "it is a WebM"),
    "aac": ("a.aac", lambda: b"\xff\xf1\x50\x80" + bytes(90), "it is an AAC stream"),
    "midi": ("a.mid", lambda: b"MThd" + bytes(90), "MIDI, which has notes and no sound"),
    "gzip": ("a.wav.gz", lambda: gzip.compress(whole()), "compressed with gzip"),
    "lfs": ("a.wav", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "`git lfs pull`"),
    "noise of bytes": ("a.wav", lambda: bytes(range(128, 256)) * 40, "it is no WAV, FLAC, OGG or MP3"),
    "aiff": ("a.aiff", lambda: whole("AIFF"), "AIFF"),
    "w64": ("a.w64", lambda: whole("W64"), "convert it"),
    "rf64": ("a.wav", lambda: whole("RF64"), "convert it"),
    "raw dressed as au": ("a.wav", lambda: whole("AU"), "convert it"),
    "wav, half": ("a.wav", lambda: cut(whole(), 0.5), "it is cut off: 50% of what its head promises is there"),
    "wav, nearly whole": ("a.wav", lambda: cut(whole(), 0.99), "it is cut off: 99%"),
    "wav, only a head": ("a.wav", lambda: whole()[:44], "it has no samples"),
    "wav, half a head": ("a.wav", lambda: whole()[:20], "it is damaged"),
    "wav, no samples": ("a.wav", lambda: saved(noise(0)), "it has no samples"),
    "wav that claims two gigabytes": ("a.wav", lambda: in_data(struct.pack("<I", 1 << 31)), "it is cut off: 0%"),
    "wav, rate 0": ("a.wav", lambda: patched(24, bytes(4)), "it is damaged"),
    "wav, rate 1": ("a.wav", lambda: patched(24, struct.pack("<I", 1)), "1 samples a second is no rate of sound"),
    "wav, rate 2^31": ("a.wav", lambda: patched(24, struct.pack("<I", (1 << 31) - 1)), "is no rate of sound"),
    "wav, rate 2^32": ("a.wav", lambda: patched(24, b"\xff" * 4), "it is damaged"),
    "wav, no channels": ("a.wav", lambda: patched(22, bytes(2)), "Channel count is zero"),
    "wav, 65535 channels": ("a.wav", lambda: patched(22, b"\xff\xff"), "Too many channels"),
    "wav, no bits": ("a.wav", lambda: patched(34, bytes(2)), "it is damaged"),
    "wav, unknown codec": ("a.wav", lambda: patched(20, b"\x55\x55"), "it is damaged"),
    "flac, half": ("a.flac", lambda: cut(whole("FLAC"), 0.5), "it is damaged or cut off: flac decoder lost sync"),
    "flac, broken": ("a.flac", lambda: patched(9000, bytes(4000), "FLAC"), "it is damaged or cut off"),
    "flac without its length": ("a.flac", without_length, "it does not tell its length, as a stream does"),
    "ogg, half": ("a.ogg", lambda: cut(whole("OGG", seconds=2), 0.5), "it is cut off"),
    "opus, half": ("a.opus", lambda: cut(whole("OGG", "OPUS", seconds=2), 0.5), "cut off"),
    "ogg, one byte short": ("a.ogg", lambda: whole("OGG")[:-1], "the page that ends it is missing"),
    "mp3, half": ("a.mp3", lambda: cut(whole("MP3"), 0.5), "it is cut off: 50%"),
    "mp3, nearly whole": ("a.mp3", lambda: cut(whole("MP3"), 0.98), "it is cut off: 98%"),
    "not a number": ("a.wav", lambda: with_sample(numpy.nan), "no numbers (NaN or infinite)"),
    "infinite": ("a.wav", lambda: with_sample(numpy.inf), "no numbers (NaN or infinite)"),
    "another rate": ("a.wav", lambda: saved(noise(), rate=44_100), "44,100 samples a second and the base hears 16,000"),
    "too short": ("a.wav", lambda: whole(seconds=0.04), "it lasts 0.040 s, and less than 0.1 s is too short"),
    "too long": ("a.wav", lambda: whole(seconds=2.1), "it lasts 2.1 s, and this base hears 2 s"),
    "an hour of nothing": ("a.flac", lambda: saved(numpy.zeros(3600 * RATE), "FLAC"), "it lasts 3600.0 s"),
}  # fmt: skip

#: name -> (file's name, bytes, `auto_resample`, a part of what is warned of or "").
TAKEN: Mapping[str, tuple[str, Make, bool, str]] = {
    "wav": ("a.wav", whole, False, ""),
    "24 bits": ("a.wav", lambda: whole(subtype="PCM_24"), False, ""),
    "8 bits": ("a.wav", lambda: whole(subtype="PCM_U8"), False, ""),
    "mu-law": ("a.wav", lambda: whole(subtype="ULAW"), False, ""),
    "extensible": ("a.wav", lambda: whole("WAVEX"), False, ""),
    "a stream's wav": ("a.wav", lambda: in_data(b"\xff" * 4), False, ""),
    "flac": ("a.flac", lambda: whole("FLAC"), False, ""),
    "ogg": ("a.ogg", lambda: whole("OGG"), False, ""),
    "opus": ("a.opus", lambda: whole("OGG", "OPUS"), False, ""),
    "mp3": ("a.mp3", lambda: whole("MP3"), False, ""),
    "wrong suffix": ("a.wav", lambda: whole("FLAC"), False, "it is a FLAC file, whatever its name says"),
    "stereo": ("a.wav", lambda: columns(noise(), noise()), False, ""),
    "eight channels": ("a.wav", lambda: columns(*[noise()] * 8), False, "its 8 channels are mixed into one"),
    "opposed channels": ("a.wav", lambda: columns(noise(), -noise()), False, "its channels cancel each other"),
    "silence": ("a.wav", lambda: saved(numpy.zeros(RATE)), False, "it is silent"),
    "beyond 1": ("a.wav", lambda: saved(8 * noise(), subtype="FLOAT"), False, "what is beyond 1 is clipped"),
    "44,100": ("a.wav", lambda: saved(noise(), rate=44_100), True, ""),
    "192,000": ("a.wav", lambda: saved(play("noise", 1, 192_000), rate=192_000), True, ""),
    "4,000": ("a.wav", lambda: saved(play("noise", 1, 4_000), rate=4_000), True, "what is above 2,000 Hz is missing"),
}  # fmt: skip
