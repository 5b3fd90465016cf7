"""Bytes to a picture.  What decoders pass over in silence is put right, told, or refused in one sentence.

Measured with Pillow 13: 16-bit greys become white and fractions black when they are converted, transparent pixels show
colours nobody sees, cameras' rotation is left out, only the first of several frames is taken.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .filetypes import what_else
from .kind import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

#: Kinds of file that are decoded; others could start programs (EPS) or are no pictures of pixels.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")
SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tiff", ".tif"),
    "AVIF": (".avif",),
}

#: More pixels are refused before one is decoded: a small file can unpack to any size.
#: Pixels a side of the few.
_FEW = 16
MOST_PIXELS = 64_000_000
MOST_BYTES = 256 * 2**20
LEAST_SIDE = 4
MOST_ASPECT = 100

_WHITE = (255, 255, 255)


def look(path: Path) -> Mapping[str, Any]:
    """Type and size, from the file's head.  Raises ValueError for a file that cannot be used."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size / 2**20:.0f} MiB, and pictures are taken up to {MOST_BYTES // 2**20} MiB")
    with path.open("rb") as stream:
        image = _open(stream, stream.read(1024))
        known = SUFFIXES[image.format or ""]
        odd = [] if path.suffix.lower() in known else [f"it is a {image.format} file, whatever its name says"]
        return {"format": image.format, "width": image.width, "height": image.height, "notes": odd}


def decode(blob: bytes, longest: int | None) -> Picture:
    """The picture, upright, on white, its longer side at most `longest` pixels.  Raises ValueError."""
    image = _open(io.BytesIO(blob), blob[:1024])
    notes: list[str] = []
    if longest and image.format in ("JPEG", "MPO"):
        image.draft("RGB", (longest, longest))  # the decoder halves on the way, which is most of the work saved
    try:
        image.load()
        image = _upright(image, notes)
        image = _in_colour(image, notes)
        if longest and max(image.size) > longest:
            image.thumbnail((longest, longest), _bicubic(), reducing_gap=2.0)
    except ValueError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise ValueError(f"it is damaged or cut off: {_said(error)}") from error
    if _is_plain(image):
        notes.append("it is of one colour all over")
    return Picture(image.width, image.height, image.tobytes(), tuple(notes))


def _open(stream: Any, head: bytes) -> Image:
    """The opened file, none of its pixels decoded, of a size and shape that can be used."""
    from PIL import Image, UnidentifiedImageError

    if not head:
        raise ValueError("it is empty")
    stream.seek(0)
    Image.init()  # `open` with formats takes those that are registered, and most register themselves only here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(stream, formats=[name for name in FORMATS if name in Image.OPEN])
        except UnidentifiedImageError:
            raise ValueError(what_else(head)) from None
        except Image.DecompressionBombError:
            raise ValueError(_too_many("far more than")) from None
        except Exception as error:
            raise ValueError(f"it is damaged: {_said(error)}") from error
    _check_size(*image.size)
    _check_frames(image)
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(_too_many(f"{width} × {height}, which is more than"))
    if min(width, height) < LEAST_SIDE:
        raise ValueError(f"{width} × {height} pixels are too few to see anything")
    if max(width, height) > MOST_ASPECT * min(width, height):
        raise ValueError(f"{width} × {height} is a stripe: no base sees more than {MOST_ASPECT} to 1; cut it in pieces")


def _too_many(how: str) -> str:
    return f"it unpacks to {how} {MOST_PIXELS // 1_000_000} million pixels; make it smaller"


def _check_frames(image: Image) -> None:
    """A picture of several would be learned by its first; a camera's MPO has a preview behind the picture itself."""
    if image.format == "MPO":
        return
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception as error:
        raise ValueError(f"it is damaged: {_said(error)}") from error
    if frames > 1:
        raise ValueError(f"it has {frames} frames or pages; save the one that is meant as a file of its own")


def _upright(image: Image, notes: list[str]) -> Image:
    """As the camera was held."""
    from PIL import ImageOps

    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        notes.append("what its camera wrote about it is damaged, so it may lie on its side")
    return image


def _in_colour(image: Image, notes: list[str]) -> Image:
    """In three colours of eight bits."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image, notes)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image, notes: list[str]) -> Image:
    """Greys of more bits, or fractions, brought to 0..255 by what their range can only mean."""
    import numpy
    from PIL import Image

    values = numpy.asarray(image, dtype=numpy.float64)
    if not numpy.isfinite(values).all():
        raise ValueError("some of its pixels are no numbers (NaN or infinite)")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        raise ValueError(f"its pixels range from {low:g} to {high:g}, which no base can see; scale them to 0..255")
    fractions = image.mode.startswith("F") and high <= 1
    top = 1.0 if fractions else 255.0 if high <= 255 and image.mode != "I;16" else 65535.0
    if image.mode.startswith("I") and 255 < high < 4096:
        top = 4095.0  # the twelve bits of a camera or a scanner
    if top != 255:
        notes.append(f"its greys from 0 to {top:g} are brought to 0..255")
    return Image.fromarray((values * (255 / top)).round().astype(numpy.uint8))


def _on_white(image: Image) -> Image:
    from PIL import Image

    alpha = image.getchannel("A")
    if alpha.getextrema() == (0, 0):
        raise ValueError("it is transparent all over: there is nothing to see")
    white = Image.new("RGB", image.size, _WHITE)
    white.paste(image, mask=alpha)
    return white


def _is_plain(image: Image) -> bool:
    """Whether all pixels are the same; a few of them tell most pictures from that."""
    few = image.resize((_FEW, _FEW), resample=0)
    return all(low == high for one in (few, image) for low, high in one.getextrema())  # type: ignore[misc]


def _bicubic() -> Any:
    from PIL.Image import Resampling

    return Resampling.BICUBIC


def _said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(str(error).split()) or type(error).__name__
