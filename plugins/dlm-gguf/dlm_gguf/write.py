"""The one pass: every tensor is read, changed, encoded for each wanted file and written, a few rows at a time."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import TracebackType

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from dlm_core import files

from . import ggml
from .quants import bits_per_weight
from .sources import Constant, Source

#: Weights handled at a time.  128 Ki 16-bit numbers are 256 KiB and stay in the second-level cache; K-quants get
#: more, so that threads have something to share.
BLOCK, SHARED_BLOCK = 1 << 17, 1 << 19


@dataclass(slots=True)
class Target:
    """A file being written: the type of each tensor, and what to say about it afterwards.

    It is written as `path` + `.part`; `finish` gives it its name, leaving the block without that removes it.
    """

    path: Path
    types: dict[str, GGMLQuantizationType]
    metadata: Callable[[GGUFWriter], None]
    arch: str
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    _stream: io.FileIO | None = None
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def bits_per_weight(self) -> float:
        return bits_per_weight(self.sizes)

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
        self.part.unlink(missing_ok=True)

    def begin(self, sources: Iterable[Source | Constant]) -> None:
        """Write header, metadata and the table of tensors."""
        writer = GGUFWriter(self.part, self.arch)
        self.metadata(writer)
        for source in sources:
            size = tensor_bytes(self.types[source.name], source.shape)
            self.sizes[source.name] = (prod(source.shape), size)
            writer.add_tensor_info(
                source.name, source.shape, np.dtype(np.float32), size, raw_dtype=self.types[source.name]
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        self._hash.update(self.part.read_bytes())
        self._stream = self.part.open("ab", buffering=0)
        self.pad()

    def mark(self, name: str) -> None:
        """Remember where the tensor that is written next begins."""
        assert self._stream is not None
        self.offsets[name] = self._stream.tell()

    def write(self, data: memoryview) -> None:
        assert self._stream is not None
        self._hash.update(data)
        view = data.cast("B")
        while view:
            view = view[self._stream.write(view) :]

    def pad(self) -> None:
        """Zeros up to the next multiple of GGUF's alignment of 32 bytes."""
        assert self._stream is not None
        missing = -self._stream.tell() % 32
        if missing:
            self.write(memoryview(bytes(missing)))

    def flush(self) -> None:
        """Make the finished part durable, so that it can be checked and then renamed."""
        assert self._stream is not None
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._stream = None

    def finish(self) -> None:
        """Give the file its name, durably."""
        files.rename(self.part, self.path)


def write_all(
    sources: Sequence[Source | Constant], targets: Sequence[Target], progress: Callable[[str], None] | None = None
) -> None:
    """Read every tensor once and write it into every target.  Raises OSError and OverflowError."""
    shared = any(kind in ggml.K_QUANTS for target in targets for kind in target.types.values())
    block = SHARED_BLOCK if shared else BLOCK
    widest = max(block, *(_row(source.shape) for source in sources))
    room, out = np.empty(widest, np.float32), np.empty(widest * 4, np.uint8)
    for target in targets:
        target.begin(sources)
    # A block's B·A is too small to share: BLAS threads that wait for each other by spinning took 5 to 16 times the CPU.
    with threadpool_limits(limits=1, user_api="blas"):
        for source in sources:
            if progress is not None:
                progress(source.name)
            _write_tensor(source, targets, block, room, out)
            if isinstance(source, Source):
                source.stored.forget()
    for target in targets:
        target.flush()


def _write_tensor(
    source: Source | Constant,
    targets: Sequence[Target],
    block: int,
    room: np.ndarray[tuple[int], np.dtype[np.float32]],
    out: np.ndarray[tuple[int], np.dtype[np.uint8]],
) -> None:
    rows = source.shape[0] if len(source.shape) > 1 else 1
    columns = _row(source.shape)
    copied = [t for t in targets if isinstance(source, Source) and _is_copy(source, t.types[source.name])]
    encoded = [t for t in targets if t not in copied]
    step = max(1, block // columns)
    for target in targets:
        target.mark(source.name)
    for first in range(0, rows, step):
        last = min(first + step, rows)
        if isinstance(source, Source) and copied:
            bits = source.stored.raw(first, last).data.cast("B")
            for target in copied:
                target.write(bits)
        if encoded:
            weights = source.block(first, last, room)
            for target in encoded:
                target.write(ggml.encode(target.types[source.name], weights, out))
    for target in targets:
        target.pad()


def _row(shape: tuple[int, ...]) -> int:
    """Weights in one row; a vector is one row."""
    return prod(shape[1:]) if len(shape) > 1 else shape[0]


def _is_copy(source: Source, kind: GGMLQuantizationType) -> bool:
    return source.untouched and ggml.FLOATS[source.stored.dtype] == kind


def tensor_bytes(kind: GGMLQuantizationType, shape: tuple[int, ...]) -> int:
    return prod(shape[:-1]) * ggml.row_bytes(kind, shape[-1])
