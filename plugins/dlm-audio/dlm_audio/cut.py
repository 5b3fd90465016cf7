"""Files that were cut off, told by what their head promises: decoders believe the file's end instead.

WAV: RIFF chunks (Microsoft and IBM, Multimedia Programming Interface 1.0, 1991).  MP3: the tag that encoders put into
the first frame, `Xing` or `Info`, with the length of the stream in bytes.
OGG: pages, the last of them marked (RFC 3533).
"""

from __future__ import annotations

import re
import struct

#: How far the tag can lie from the beginning of the first frame.
_TAG_WITHIN = 256
_STREAMED = (0, 0xFFFFFFFF)


def refuse(blob: bytes) -> None:
    """Raises ValueError when the head promises more than there is."""
    if blob[:4] == b"RIFF" and blob[8:12] == b"WAVE":
        _refuse_wav(blob)
    elif blob[:4] == b"OggS":
        _refuse_ogg(blob)
    elif blob[:3] == b"ID3" or re.match(rb"\xff[\xe2-\xff]", blob):
        _refuse_mp3(blob)


def said(share: float) -> str:
    return f"it is cut off: {share:.0%} of what its head promises is there"


def _refuse_wav(blob: bytes) -> None:
    at = 12
    while at + 8 <= len(blob):
        name, size = blob[at : at + 4], struct.unpack("<I", blob[at + 4 : at + 8])[0]
        if name == b"data":
            if size not in _STREAMED and at + 8 + size > len(blob):
                raise ValueError(said((len(blob) - at - 8) / size))
            return
        at += 8 + size + size % 2


def _refuse_mp3(blob: bytes) -> None:
    start = 0
    if blob[:3] == b"ID3" and len(blob) > 10:
        start = 10 + sum(byte << 7 * (3 - place) for place, byte in enumerate(blob[6:10]))
    tag = re.compile(rb"Xing|Info").search(blob, start, start + _TAG_WITHIN)
    if tag is None or len(blob) < tag.end() + 12:
        return
    flags = int.from_bytes(blob[tag.end() : tag.end() + 4], "big")
    if flags & 2:
        place = tag.end() + 4 + (4 if flags & 1 else 0)
        promised = int.from_bytes(blob[place : place + 4], "big")
        if start + promised > len(blob):
            raise ValueError(said((len(blob) - start) / promised))


def _refuse_ogg(blob: bytes) -> None:
    last = blob.rfind(b"OggS")
    head = blob[last : last + 27]
    lengths = blob[last + 27 : last + 27 + head[26]] if len(head) == 27 else b""
    if not lengths or last + 27 + len(lengths) + sum(lengths) > len(blob) or not head[5] & 4:
        raise ValueError("it is cut off: the page that ends it is missing")
