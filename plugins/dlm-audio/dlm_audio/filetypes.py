"""What a file is that is no sound libsndfile reads, by its first bytes, and what to do about it."""

from __future__ import annotations

import codecs

_CONVERT = "convert it: `ffmpeg -i {} -ar 16000 -ac 1 out.flac`"

#: Where the mark stands, the mark, what it is, what to do.
_MARKS: tuple[tuple[int, bytes, str, str], ...] = (
    (4, b"ftypM4A", "an M4A recording", _CONVERT.format("a.m4a")),
    (4, b"ftyp", "an MP4 film or recording", _CONVERT.format("a.mp4")),
    (0, b"\x1a\x45\xdf\xa3", "a WebM or Matroska file", _CONVERT.format("a.webm")),
    (0, b"\x30\x26\xb2\x75", "a WMA recording", _CONVERT.format("a.wma")),
    (0, b"\xff\xf1", "an AAC stream", _CONVERT.format("a.aac")),
    (0, b"\xff\xf9", "an AAC stream", _CONVERT.format("a.aac")),
    (0, b"#!AMR", "an AMR recording", _CONVERT.format("a.amr")),
    (0, b"MThd", "MIDI, which has notes and no sound", "render it to WAV"),
    (0, b"\x89PNG", "a picture", "put it where pictures belong"),
    (0, b"\xff\xd8\xff", "a picture", "put it where pictures belong"),
    (0, b"GIF8", "a picture", "put it where pictures belong"),
    (0, b"%PDF", "a PDF", "take the recording itself"),
    (0, b"PK\x03\x04", "a zip archive", "unpack it"),
    (0, b"\x1f\x8b", "compressed with gzip", "unpack it"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch it: `git lfs pull`"),
)


def what_else(head: bytes) -> str:
    """Why bytes that begin so cannot be used, and what to do."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps one that says why a download failed; fetch the recording again"
    for at, mark, what, todo in _MARKS:
        if head[at : at + len(mark)] == mark:
            return f"it is {what}; {todo}"
    if _is_text(head):
        return "it is text, not a recording"
    return "it is no WAV, FLAC, OGG or MP3, or its head is damaged"


def _is_text(head: bytes) -> bool:
    """Whether it is the beginning of UTF-8 without control characters; its last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return text != "" and all(char >= " " or char in "\t\r\n\f" for char in text)
