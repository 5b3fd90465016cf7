"""The kind of media: a file becomes a picture in three colours of eight bits, upright, no larger than the base sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dlm_core.api import MediaKind

if TYPE_CHECKING:
    from PIL import Image as Pillow

#: Raised when the same file would be decoded otherwise than before.
VERSION = 1

#: Width and height of the blank that stands for no picture.
_BLANK = 64
_MAGIC = b"RGB1"


@dataclass(frozen=True, slots=True)
class Picture:
    """`pixels` are width · height · 3 bytes, row by row; `notes` say what was done that one may not expect."""

    width: int
    height: int
    pixels: bytes | memoryview
    notes: tuple[str, ...] = ()

    def image(self) -> Pillow.Image:
        """The same for Pillow."""
        from PIL import Image

        return Image.frombytes("RGB", (self.width, self.height), self.pixels)


class Image(MediaKind):
    """Policy: `longest`, the most pixels of the longer side (none: as they are)."""

    name: ClassVar[str] = "image"
    question: ClassVar[str] = "What does this picture show?"

    def probe(self, path: Path) -> Mapping[str, Any]:
        from .decode import look

        return look(path)

    def load(self, blob: bytes, policy: Mapping[str, Any]) -> Picture:
        from .decode import decode

        return decode(blob, policy.get("longest"))

    def fingerprint(self, policy: Mapping[str, Any]) -> str:
        from PIL import __version__

        return f"{VERSION}, pillow {__version__}, upright, on white, longest {policy.get('longest', 'as it is')}"

    def control_input(self) -> Picture:
        """Grey all over."""
        return Picture(_BLANK, _BLANK, bytes([127]) * (_BLANK * _BLANK * 3))

    def facts(self, loaded: Picture) -> Mapping[str, Any]:
        return {"width": loaded.width, "height": loaded.height, "notes": list(loaded.notes)}

    def pack(self, loaded: Picture) -> bytes:
        size = loaded.width.to_bytes(4, "little") + loaded.height.to_bytes(4, "little")
        return b"".join((_MAGIC, size, loaded.pixels))

    def unpack(self, packed: bytes | memoryview) -> Picture:
        view = memoryview(packed)
        if bytes(view[:4]) != _MAGIC:
            raise ValueError("it is not what this version writes")
        width, height = (int.from_bytes(view[at : at + 4], "little") for at in (4, 8))
        if len(view) != 12 + width * height * 3:
            raise ValueError("its length is wrong")
        return Picture(width, height, view[12:])

    def to_file(self, loaded: Picture) -> tuple[str, bytes]:
        """A PNG."""
        import io

        out = io.BytesIO()
        loaded.image().save(out, "PNG")
        return "image/png", out.getvalue()
