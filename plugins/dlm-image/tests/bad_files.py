"""Files that are no good or not what they seem: how each is made, and what is said of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy
from PIL import Image

from dlm_image.testing import draw

Make = Callable[[], bytes]


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def circle() -> Image.Image:
    return draw("red", "circle", (320, 240))


def photograph() -> Image.Image:
    """Noise, which no encoder makes small."""
    values = numpy.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=numpy.uint8)
    return Image.fromarray(values)


def cut(data: bytes, share: float = 0.5) -> bytes:
    return data[: int(len(data) * share)]


def broken(data: bytes, at: int, count: int = 200) -> bytes:
    return data[:at] + bytes(count) + data[at + count :]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int = 8, colour: int = 2, rows: bytes = b"") -> bytes:
    """A PNG that says what it likes of itself."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def frames(kind: str) -> bytes:
    return saved(circle(), kind, save_all=True, append_images=[draw("blue", "square", (320, 240))])


def huge_text() -> bytes:
    """A PNG whose comment unpacks to 64 MiB."""
    whole = saved(circle(), "PNG")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**26)))
    return whole[:33] + text + whole[33:]


def fractions(low: float, high: float, odd: float | None = None) -> bytes:
    values = numpy.linspace(low, high, 64 * 64, dtype=numpy.float32).reshape(64, 64)
    if odd is not None:
        values[3, 3] = odd
    return saved(Image.fromarray(values), "TIFF")


def lying_tiff() -> bytes:
    """A TIFF whose strips lie beyond the file's end."""
    return saved(circle(), "TIFF")[:600]


#: name -> (file's name, how its bytes are made, a part of what is said).
REFUSED: Mapping[str, tuple[str, Make, str]] = {
    "empty": ("a.png", lambda: b"", "it is empty"),
    "one byte": ("a.png", lambda: b"\x89", "head is damaged"),
    "text": ("a.png", lambda: b"a red circle\n", "it is text"),
    "web page": ("a.jpg", lambda: b"<!DOCTYPE html><title>404</title>", "it is a web page"),
    "lfs pointer": ("a.png", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    "svg": ("a.svg", lambda: b'<?xml version="1.0"?><svg width="9" height="9"/>', "an SVG drawing"),
    "svg named png": ("a.png", lambda: b"<svg/>", "an SVG drawing"),
    "pdf": ("a.png", lambda: b"%PDF-1.7\n", "pdftoppm"),
    "postscript": ("a.png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "heic": ("a.heic", lambda: b"\0\0\0\x18ftypheic" + bytes(40), "a HEIC photograph"),
    "film": ("a.png", lambda: b"\0\0\0\x18ftypisom" + bytes(40), "ffmpeg"),
    "photoshop": ("a.psd", lambda: b"8BPS" + bytes(40), "Photoshop"),
    "jpeg xl": ("a.jxl", lambda: b"\xff\x0a" + bytes(40), "JPEG XL"),
    "jpeg 2000": ("a.jp2", lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000"),
    "icon": ("a.ico", lambda: b"\0\0\x01\0\x01\0" + bytes(40), "an icon"),
    "zip": ("a.png", lambda: b"PK\x03\x04" + bytes(40), "zip archive"),
    "gzip": ("a.png", lambda: b"\x1f\x8b\x08" + bytes(40), "gzip"),
    "sound": ("a.png", lambda: b"RIFF\0\0\0\0WAVEfmt " + bytes(40), "a sound"),
    "random bytes": ("a.png", lambda: bytes(range(128, 256)) * 4, "or its head is damaged"),
    "truncated jpeg": ("a.jpg", lambda: cut(saved(photograph(), "JPEG")), "damaged or cut off"),
    "truncated png": ("a.png", lambda: cut(saved(photograph(), "PNG")), "damaged or cut off"),
    "truncated webp": ("a.webp", lambda: cut(saved(photograph(), "WEBP")), "damaged"),
    "truncated gif": ("a.gif", lambda: cut(saved(photograph(), "GIF")), "damaged"),
    "truncated bmp": ("a.bmp", lambda: cut(saved(photograph(), "BMP")), "damaged or cut off"),
    "truncated tiff": ("a.tiff", lying_tiff, "damaged"),
    "jpeg of a head only": ("a.jpg", lambda: saved(photograph(), "JPEG")[:400], "damaged"),
    "png of a head only": ("a.png", lambda: saved(photograph(), "PNG")[:40], "damaged"),
    "corrupt png": ("a.png", lambda: broken(saved(photograph(), "PNG"), 2000), "damaged or cut off"),
    "png without pixels": ("a.png", lambda: png(64, 64), "damaged or cut off"),
    "png of no width": ("a.png", lambda: png(0, 64), "damaged"),
    "png of 4 billion pixels": ("a.png", lambda: png(65_000, 65_000), "million pixels"),
    "bomb of 100 million pixels": ("a.png", lambda: png(10_000, 10_000), "million pixels"),
    "bomb of 66 million pixels": ("a.png", lambda: png(10_000, 6600), "million pixels"),
    "bomb in a comment": ("a.png", huge_text, "damaged"),
    "one pixel": ("a.png", lambda: saved(Image.new("RGB", (1, 1)), "PNG"), "too few to see"),
    "one pixel high": ("a.png", lambda: saved(Image.new("RGB", (2000, 1)), "PNG"), "too few to see"),
    "stripe": ("a.png", lambda: saved(Image.new("RGB", (3000, 10)), "PNG"), "is a stripe"),
    "animated gif": ("a.gif", lambda: frames("GIF"), "2 frames"),
    "animated webp": ("a.webp", lambda: frames("WEBP"), "2 frames"),
    "animated png": ("a.png", lambda: frames("PNG"), "2 frames"),
    "tiff of two pages": ("a.tiff", lambda: frames("TIFF"), "2 frames or pages"),
    "transparent all over": ("a.png", lambda: saved(Image.new("RGBA", (64, 64)), "PNG"), "transparent all over"),
    "fractions with NaN": ("a.tiff", lambda: fractions(0, 1, float("nan")), "NaN"),
    "fractions with infinity": ("a.tiff", lambda: fractions(0, 1, float("inf")), "NaN or infinite"),
    "fractions below zero": ("a.tiff", lambda: fractions(-5, 5), "range from -5 to 5"),
    "fractions of any size": ("a.tiff", lambda: fractions(0, 1e9), "range from 0 to 1e+09"),
}


def greys16(top: int) -> bytes:
    values = numpy.linspace(0, top, 64 * 64).astype(numpy.uint16).reshape(64, 64)
    return saved(Image.fromarray(values), "PNG")


def rotated() -> bytes:
    """Red on the left as it is stored, and above as the camera was held."""
    image = Image.new("RGB", (64, 32), "blue")
    image.paste("red", (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(image, "PNG", exif=exif)


def hidden_colour() -> bytes:
    """Red that is transparent, around an opaque blue."""
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (16, 16, 48, 48))
    return saved(image, "PNG")


#: name -> (file's name, bytes, a point and the colour there, a part of what is warned of or "").
TAKEN: Mapping[str, tuple[str, Make, tuple[int, int], tuple[int, int, int], str]] = {
    "rotated": ("a.png", rotated, (16, 5), (255, 0, 0), ""),
    "transparent red": ("a.png", hidden_colour, (2, 2), (255, 255, 255), ""),
    "sixteen bits": ("a.png", lambda: greys16(65535), (63, 63), (255, 255, 255), "0 to 65535"),
    "sixteen bits, half": ("a.png", lambda: greys16(32767), (63, 63), (127, 127, 127), "0 to 65535"),
    "twelve bits": ("a.png", lambda: greys16(4095), (63, 63), (255, 255, 255), "0 to 4095"),
    "fractions": ("a.tiff", lambda: fractions(0, 1), (63, 63), (255, 255, 255), "0 to 1"),
    "fractions to 255": ("a.tiff", lambda: fractions(0, 255), (63, 63), (255, 255, 255), ""),
    "cmyk": ("a.jpg", lambda: saved(Image.new("CMYK", (64, 64), (0, 0, 0, 255)), "JPEG"), (3, 3), (0, 0, 0), "one col"),
    "grey": ("a.png", lambda: saved(draw("black", "square").convert("L"), "PNG"), (48, 40), (0, 0, 0), ""),
    "one bit": ("a.png", lambda: saved(draw("black", "square").convert("1"), "PNG"), (48, 40), (0, 0, 0), ""),
    "palette": ("a.gif", lambda: saved(draw("black", "square"), "GIF"), (48, 40), (0, 0, 0), ""),
    "wrong suffix": ("a.png", lambda: saved(draw("black", "square"), "BMP"), (48, 40), (0, 0, 0), "BMP file"),
    "one colour": ("a.png", lambda: saved(Image.new("RGB", (64, 64), "red"), "PNG"), (1, 1), (255, 0, 0), "one colour"),
    "broken exif": ("a.jpg", lambda: saved(draw("black", "square"), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
                    (48, 40), (0, 0, 0), ""),
}  # fmt: skip
