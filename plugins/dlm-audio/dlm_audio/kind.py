"""The kind of media: a file becomes one channel of samples at the rate that the base hears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dlm_core.api import MediaKind

if TYPE_CHECKING:
    import numpy

#: Raised when the same file would be decoded otherwise than before.
VERSION = 1

#: Samples a second, and seconds, of the blank that stands for no sound.
_RATE, _SECONDS = 16_000, 1
_MAGIC = b"F32M"


@dataclass(frozen=True, slots=True)
class Sound:
    """`samples` is float32 between -1 and 1, shape (samples,); `notes` say what was done that one may not expect."""

    samples: numpy.ndarray[Any, Any]
    rate: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class Audio(MediaKind):
    """Policy: `rate` in samples a second, `least` and `most` in seconds, `auto_resample`: are other rates taken?"""

    name: ClassVar[str] = "audio"
    question: ClassVar[str] = "What is said or heard in this recording?"

    def probe(self, path: Path) -> Mapping[str, Any]:
        from .decode import look

        return look(path)

    def load(self, blob: bytes, policy: Mapping[str, Any]) -> Sound:
        from .decode import decode

        return decode(blob, policy)

    def fingerprint(self, policy: Mapping[str, Any]) -> str:
        import soundfile
        import soxr

        libraries = f"soundfile {soundfile.__libsndfile_version__}, soxr {soxr.__version__}"
        limits = f"{policy.get('least', 0)} to {policy.get('most', 'any')} s"
        resampled = "resampled" if policy.get("auto_resample") else "native"
        return f"{VERSION}, {libraries}, mono, {resampled} at {policy.get('rate', 'its own rate')}, {limits}"

    def control_input(self) -> Sound:
        """A second of silence."""
        import numpy

        return Sound(numpy.zeros(_RATE * _SECONDS, numpy.float32), _RATE)

    def facts(self, loaded: Sound) -> Mapping[str, Any]:
        return {"samples": len(loaded.samples), "rate": loaded.rate, "notes": list(loaded.notes)}

    def pack(self, loaded: Sound) -> bytes:
        return b"".join((_MAGIC, loaded.rate.to_bytes(4, "little"), loaded.samples.tobytes()))

    def unpack(self, packed: bytes | memoryview) -> Sound:
        import numpy

        view = memoryview(packed)
        if bytes(view[:4]) != _MAGIC or (len(view) - 8) % 4:
            raise ValueError("it is not what this version writes")
        return Sound(numpy.frombuffer(view[8:], numpy.float32), int.from_bytes(view[4:8], "little"))

    def to_file(self, loaded: Sound) -> tuple[str, bytes]:
        """A WAV of 16 bits."""
        import io

        import soundfile

        out = io.BytesIO()
        soundfile.write(out, loaded.samples, loaded.rate, "PCM_16", format="WAV")
        return "audio/wav", out.getvalue()

    def options(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        return resampling(config)


def resampling(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The option of a part that `training.audio` sets."""
    block = config.get("training", {}).get("audio") or {}
    return {"auto_resample": True} if block.get("auto_resample") else {}
