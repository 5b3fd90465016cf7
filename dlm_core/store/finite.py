"""Find NaN and infinity in safetensors files with the standard library alone."""

from __future__ import annotations

import json
import math
import mmap
import struct
from pathlib import Path
from typing import Any

_MAX_HEADER = 100_000_000
_CHUNK = 1 << 16
_FLOATS = {"F64": ("d", 8), "F32": ("f", 4), "F16": ("e", 2), "BF16": ("f", 2)}
_INTEGERS = {"BOOL", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"}


def first_nonfinite(path: Path) -> str | None:
    """The name of the first tensor that holds NaN or infinity, or None.

    Reads F64, F32, F16 and BF16; integer tensors are always finite.
    Raises ValueError when the file is not well-formed or holds a type that cannot be checked.
    """
    header, start = _header(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for name, tensor in sorted(header.items()):
            if name == "__metadata__":
                continue
            begin, end = _bounds(name, tensor, len(data) - start)
            if not _all_finite(data, start + begin, start + end, name, str(tensor["dtype"])):
                return name
    return None


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The parsed header and the file offset of the data after it."""
    with path.open("rb") as file:
        prefix = file.read(8)
        size = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or not 2 <= size <= _MAX_HEADER:
            raise ValueError("not a safetensors file")
        text = file.read(size)
    if len(text) < size:
        raise ValueError("the safetensors header is cut short")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("the safetensors header is not a mapping")
    return header, 8 + size


def _bounds(name: str, tensor: Any, available: int) -> tuple[int, int]:
    try:
        begin, end = tensor["data_offsets"]
        valid = 0 <= begin <= end <= available and isinstance(tensor["dtype"], str)
    except (TypeError, KeyError, ValueError):
        valid = False
    if not valid:
        raise ValueError(f"tensor {name} does not lie inside the file")
    return begin, end


def _all_finite(data: mmap.mmap, begin: int, end: int, name: str, dtype: str) -> bool:
    if dtype in _INTEGERS:
        return True
    if dtype not in _FLOATS:
        raise ValueError(f"tensor {name} has type {dtype}, which cannot be checked for NaN")
    code, width = _FLOATS[dtype]
    if (end - begin) % width:
        raise ValueError(f"tensor {name} ends in the middle of a number")
    for at in range(begin, end, _CHUNK * width):
        chunk = data[at : min(end, at + _CHUNK * width)]
        if dtype == "BF16":
            chunk = _widen(chunk)
        values = struct.unpack(f"<{len(chunk) // struct.calcsize(code)}{code}", chunk)
        # A sum is finite only if every term is; the second look is for float64, whose sum may overflow.
        if not math.isfinite(sum(values)) and not all(map(math.isfinite, values)):
            return False
    return True


def _widen(chunk: bytes) -> bytes:
    """BF16 as F32: the same bits with two zero bytes below them."""
    wide = bytearray(2 * len(chunk))
    wide[2::4], wide[3::4] = chunk[0::2], chunk[1::2]
    return bytes(wide)
