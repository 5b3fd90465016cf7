"""What a file is that is no picture of pixels, by its first bytes, and what to do about it."""

from __future__ import annotations

import codecs

_CONVERT = "save it as PNG or JPEG"

#: Where the mark stands, the mark, what it is, what to do.
_MARKS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF", "a PDF", "save the page that is meant as PNG (`pdftoppm -png`)"),
    (4, b"ftypheic", "a HEIC photograph", f"{_CONVERT} (`magick a.heic a.jpg`, or the phone's setting)"),
    (4, b"ftypheix", "a HEIC photograph", f"{_CONVERT} (`magick a.heic a.jpg`)"),
    (4, b"ftypmif1", "a HEIF photograph", f"{_CONVERT} (`magick a.heif a.jpg`)"),
    (4, b"ftyp", "a film", "save the frame that is meant as PNG (`ffmpeg -ss 1 -i a.mp4 -frames:v 1 a.png`)"),
    (0, b"8BPS", "a Photoshop file", _CONVERT),
    (0, b"%!PS", "PostScript", _CONVERT),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL", _CONVERT),
    (0, b"\xff\x0a", "JPEG XL", _CONVERT),
    (0, b"\x00\x00\x00\x0cjP", "JPEG 2000", _CONVERT),
    (0, b"\x00\x00\x01\x00", "an icon", _CONVERT),
    (0, b"PK\x03\x04", "a zip archive", "unpack it"),
    (0, b"\x1f\x8b", "compressed with gzip", "unpack it"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch it: `git lfs pull`"),
    (0, b"ID3", "a sound", "put it where sounds belong"),
    (0, b"fLaC", "a sound", "put it where sounds belong"),
    (0, b"OggS", "a sound", "put it where sounds belong"),
    (8, b"WAVE", "a sound", "put it where sounds belong"),
)


def what_else(head: bytes) -> str:
    """Why bytes that begin so cannot be used, and what to do."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "it is an SVG drawing, which has no pixels; save it as PNG (`rsvg-convert a.svg -o a.png`)"
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps one that says why a download failed; fetch the picture again"
    for at, mark, what, todo in _MARKS:
        if head[at : at + len(mark)] == mark:
            return f"it is {what}; {todo}"
    if _is_text(head):
        return "it is text, not a picture"
    return "it is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF, or its head is damaged"


def _is_text(head: bytes) -> bool:
    """Whether it is the beginning of UTF-8 without control characters; its last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return text != "" and all(char >= " " or char in "\t\r\n\f" for char in text)
