"""Pictures and recordings opened: CPU time with nothing kept and from the cache, beside plain calls of the libraries.

`python benchmarks/media.py`: files are made here, noise and shapes that compress as photographs and speech do.  The
plain calls are what a script would hold: Pillow's open, exif_transpose, convert, thumbnail; soundfile's read, a mean,
soxr.  Ours has every check in it, and writing to the cache.  Medians over runs taken in turn; quote the ratios.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import soundfile
import soxr
from PIL import Image, ImageFilter, ImageOps

from dlm_audio.kind import Audio
from dlm_core.api import Media
from dlm_core.cache import CacheSettings, RowCache
from dlm_core.media import MediaReader, media_part
from dlm_image.kind import Image as Picture

LONGEST, RATE = 1536, 16_000
ACCEPTS = {"image": {"longest": LONGEST}, "audio": {"rate": RATE, "least": 0.1, "most": 600}}
KINDS = {"image": Picture(), "audio": Audio()}


def photograph(path: Path, width: int, height: int, seed: int, **options: Any) -> None:
    """Blurred noise of two sizes, about as detailed as a photograph."""
    random = numpy.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (height // 16, width // 16, 3), dtype=numpy.uint8))
    fine = Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=numpy.uint8))
    whole = Image.blend(coarse.resize((width, height), Image.Resampling.BICUBIC), fine, 0.1)
    whole.filter(ImageFilter.GaussianBlur(1)).save(path, **options)


def recording(path: Path, seconds: int, rate: int, seed: int) -> None:
    """Two channels of tones under noise, written in pieces."""
    random = numpy.random.default_rng(seed)
    times = numpy.arange(seconds * rate) / rate
    tones = sum(numpy.sin(2 * numpy.pi * pitch * times) for pitch in random.uniform(80, 3000, 6)) / 12
    both = numpy.stack([tones, numpy.roll(tones, rate // 100)], axis=1) + random.normal(0, 0.01, (len(times), 2))
    with soundfile.SoundFile(path, "w", rate, 2) as file:
        for at in range(0, len(both), 1 << 16):
            file.write(both[at : at + (1 << 16)])


def plain_picture(path: Path) -> Any:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC)
    return image.tobytes()


def plain_recording(path: Path) -> Any:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE)


def seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(parts: list[Media], plain: Callable[[Path], Any], folder: Path, runs: int) -> tuple[float, float, float]:
    """CPU seconds for all parts: the plain calls, ours with an empty cache, ours with a full one."""
    times: list[tuple[float, float, float]] = []
    for _ in range(runs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

        def ours() -> None:
            reader = MediaReader(KINDS, ACCEPTS, RowCache(CacheSettings(), folder / "cache.db"))
            for part in parts:
                reader.facts(part)
                reader.load(part)

        def theirs() -> None:
            for part in parts:
                plain(Path(part.path))

        times.append((seconds(theirs), seconds(ours), seconds(ours)))
    first, second, third = (statistics.median(one) for one in zip(*times, strict=True))
    return first, second, third


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases: list[tuple[str, str, list[Path], Callable[[Path], Any], float]] = []
        for label, suffix, size, count in (
            ("JPEG, 12 megapixels", "jpg", (4000, 3000), 6),
            ("JPEG, 1 megapixel", "jpg", (1152, 864), 24),
            ("PNG, 1 megapixel", "png", (1152, 864), 12),
            ("WEBP, 1 megapixel", "webp", (1152, 864), 12),
        ):
            paths = [folder / f"{size[0]}-{place}.{suffix}" for place in range(count)]
            for place, path in enumerate(paths):
                photograph(path, *size, place)
            cases.append((label, "image", paths, plain_picture, count))
        for suffix in ("wav", "flac", "ogg", "mp3"):
            paths = [folder / f"{place}.{suffix}" for place in range(4)]
            for place, path in enumerate(paths):
                recording(path, 60, 44_100, place)
            cases.append((f"{suffix.upper()}, 60 s, stereo, 44.1 kHz", "audio", paths, plain_recording, 240))
        print(f"{'':34}{'plain':>12}{'cold':>12}{'cached':>12}{'cold':>9}{'cached':>10}")
        for label, kind, paths, plain, amount in cases:
            options = {"auto_resample": True} if kind == "audio" else {}
            parts = [media_part(kind, path, options) for path in paths]
            theirs, cold, cached = measure(parts, plain, folder / "kept", runs)
            unit = "/s" if kind == "image" else " s/s"
            speeds = "".join(f"{f'{amount / one:,.0f}{unit}':>12}" for one in (theirs, cold, cached))
            print(f"{label:34}{speeds}{f'{cold / theirs:.2f}×':>9}{f'{theirs / cached:.0f}×':>10}")


if __name__ == "__main__":
    main()
