"""Safetensors read through a memory map, a few rows at a time, so that no tensor has to fit in memory."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlm_core.api import ExportFailedError

from . import ggml

_WIDTH = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor in a mapped file: `dtype` as safetensors spells it, `start` its first byte in `map`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    map: mmap.mmap
    start: int

    @property
    def rows(self) -> int:
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def columns(self) -> int:
        """Weights in one row; a vector is one row."""
        return prod(self.shape) // self.rows

    @property
    def kind(self) -> np.dtype[Any]:
        """How numpy sees a weight: a float32 number or a 16-bit pattern."""
        return np.dtype(np.float32 if self.dtype == "F32" else np.uint16)

    def raw(self, first: int, last: int) -> NDArray[Any]:
        """Rows `first` to `last` as they lie in the file: float32 numbers or 16-bit patterns, (rows, columns)."""
        offset = self.start + first * self.columns * self.kind.itemsize
        flat = np.frombuffer(self.map, self.kind, (last - first) * self.columns, offset)
        return flat.reshape(last - first, self.columns)

    def floats(self, first: int, last: int, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Rows `first` to `last` as float32, in the head of `out` where a conversion needs room."""
        return as_float(self.raw(first, last), self.dtype, out)

    def array(self) -> NDArray[np.float32]:
        """The whole tensor as float32 in its own shape; for the small matrices of adapters."""
        return self.floats(0, self.rows).reshape(self.shape)

    def forget(self) -> None:
        """Let the system drop the pages of this tensor that were read."""
        if hasattr(mmap, "MADV_DONTNEED"):
            first = self.start // mmap.PAGESIZE * mmap.PAGESIZE
            end = self.start + prod(self.shape) * _WIDTH[self.dtype]
            self.map.madvise(mmap.MADV_DONTNEED, first, end - first)


@dataclass(frozen=True, slots=True, eq=False)
class Grown(Stored):
    """A stored matrix of `own` rows with more below it, each of which is `row`, (1, columns)."""

    own: int
    row: NDArray[np.float32]

    def raw(self, first: int, last: int) -> NDArray[Any]:
        """As `Stored.raw`; new rows are rounded to the stored type."""
        bits = ggml.encode(ggml.FLOATS[self.dtype], self.row, np.empty(self.row.nbytes, np.uint8))
        return self._below(Stored.raw, np.frombuffer(bytes(bits), self.kind)[None], first, last)

    def floats(self, first: int, last: int, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """As `Stored.floats`; new rows are not rounded."""
        return self._below(Stored.floats, self.row, first, last)

    def _below(
        self, read: Callable[[Stored, int, int], NDArray[Any]], row: NDArray[Any], first: int, last: int
    ) -> NDArray[Any]:
        if last <= self.own:
            return read(self, first, last)
        new = row.repeat(last - max(first, self.own), axis=0)
        return np.concatenate([read(self, first, self.own), new]) if first < self.own else new


def with_mean_rows(tensor: Stored, rows: int) -> Stored:
    """The matrix with rows below it up to `rows`, each the mean of those that are there, as training adds them."""
    if rows <= tensor.rows:
        return tensor
    total, step = np.zeros(tensor.columns), max(1, (1 << 20) // tensor.columns)
    for first in range(0, tensor.rows, step):
        total += tensor.floats(first, min(first + step, tensor.rows)).sum(0, np.float64)
    mean = (total / tensor.rows).astype(np.float32)[None]
    return Grown(tensor.name, tensor.dtype, (rows, tensor.columns), tensor.map, tensor.start, tensor.rows, mean)


def as_float(raw: NDArray[Any], dtype: str, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """What `Stored.raw` returned, or rows picked from it, as float32 (rows, columns)."""
    if dtype == "F32":
        return raw
    room = out if out is not None else np.empty(raw.size, np.float32)
    return ggml.to_float(np.ascontiguousarray(raw), dtype, room).reshape(raw.shape)


def read_folder(folder: Path, stem: str = "model") -> dict[str, Stored]:
    """Every tensor of `stem.safetensors`, or of the shards its index names.  Raises ExportFailedError."""
    index = folder / f"{stem}.safetensors.index.json"
    single = folder / f"{stem}.safetensors"
    if single.is_file():
        files = [single]
    elif index.is_file():
        names = json.loads(index.read_text("utf-8"))["weight_map"].values()
        files = [folder / name for name in sorted(set(names))]
    else:
        raise ExportFailedError(f"{folder} holds no {stem}.safetensors", "Only safetensors weights can be exported.")
    return {tensor.name: tensor for file in files for tensor in _tensors(file)}


def _tensors(file: Path) -> Iterator[Stored]:
    try:
        with file.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
    except (OSError, ValueError) as error:
        raise ExportFailedError(f"{file} is not a readable safetensors file: {error}") from error
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _WIDTH:
            raise ExportFailedError(
                f"{file.name}: tensor {name} has type {entry['dtype']}", "Weights must be F32, F16 or BF16."
            )
        first, end = entry["data_offsets"]
        if 8 + length + end > len(data):
            raise ExportFailedError(f"{file.name} ends before tensor {name} does", "Fetch the file again.")
        yield Stored(name, entry["dtype"], tuple(entry["shape"]), data, 8 + length + first)
