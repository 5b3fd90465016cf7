"""ggml's own conversions and quantizers, called in the shared library that the `xllamacpp` wheel carries.

Nothing is compiled here: the wheel's extension module exports llama.cpp's C functions, and ctypes releases the
interpreter lock around each call, so that rows can be shared between threads.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_int, c_int64, c_size_t, c_void_p
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from numpy.typing import NDArray

from dlm_core.api import PluginMissingError

F32, F16, BF16 = GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16
#: By the names that safetensors has for them.
FLOATS = {"F32": F32, "F16": F16, "BF16": BF16}
#: K-quants search for their scales one weight at a time; only they are worth a second thread.
K_QUANTS = {GGMLQuantizationType.Q4_K, GGMLQuantizationType.Q5_K, GGMLQuantizationType.Q6_K}


def library_path() -> Path:
    """The extension module of `xllamacpp`, found without importing it.  Raises PluginMissingError."""
    spec = find_spec("xllamacpp")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted([*folder.glob("*.so"), *folder.glob("*.pyd")]) if folder else []
    if not found:
        raise PluginMissingError(
            "the package xllamacpp, which carries llama.cpp, is not installed", "pip install xllamacpp"
        )
    return found[0]


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The library with the signatures used here.  Raises PluginMissingError when it lacks one of the functions."""
    path = library_path()
    try:
        lib = ctypes.CDLL(str(path))
        lib.ggml_quantize_chunk.argtypes = [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]
        lib.ggml_quantize_chunk.restype = c_size_t
        for name in ("fp32_to_fp16", "fp32_to_bf16", "fp16_to_fp32", "bf16_to_fp32"):
            function = getattr(lib, f"ggml_cpu_{name}")
            function.argtypes, function.restype = [c_void_p, c_void_p, c_int64], None
        lib.ggml_cpu_init()
    except (OSError, AttributeError) as error:
        raise PluginMissingError(
            f"{path.name} does not carry ggml's quantizers: {error}", "pip install 'xllamacpp==2026.10.11549'"
        ) from error
    return lib


def row_bytes(kind: GGMLQuantizationType, columns: int) -> int:
    """Bytes of one encoded row of `columns` weights."""
    block, size = GGML_QUANT_SIZES[kind]
    return int(columns // block * size)


def to_float(raw: NDArray[np.uint16], dtype: str, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Contiguous F16 or BF16 bits (`dtype` as safetensors spells it) as float32, written into the head of `out`."""
    flat = out[: raw.size]
    convert = library().ggml_cpu_bf16_to_fp32 if dtype == "BF16" else library().ggml_cpu_fp16_to_fp32
    convert(raw.ctypes.data, flat.ctypes.data, raw.size)
    return flat


def encode(kind: GGMLQuantizationType, weights: NDArray[np.float32], out: NDArray[np.uint8]) -> memoryview:
    """Encode C-contiguous (rows, columns) float32 weights into the head of `out`; a view of the bytes written.

    The bytes are those of llama.cpp's own converter.  Raises OverflowError when a weight does not fit in F16.
    """
    rows, columns = weights.shape
    size = rows * row_bytes(kind, columns)
    source, target = weights.ctypes.data, out.ctypes.data
    if kind == F32:
        return weights.data.cast("B")
    if kind == F16:
        library().ggml_cpu_fp32_to_fp16(source, target, weights.size)
        bits = out[:size].view(np.uint16)
        if np.bitwise_and(bits, 0x7FFF).max() >= 0x7C00:
            raise OverflowError("a weight is larger than 65504, the largest number F16 can hold")
    elif kind == BF16:
        library().ggml_cpu_fp32_to_bf16(source, target, weights.size)
    elif kind in K_QUANTS and rows > 1 and threads() > 1:
        _shared(kind, source, target, rows, columns)
    else:
        library().ggml_quantize_chunk(kind, source, target, 0, rows, columns, None)
    return out.data[:size]


def threads() -> int:
    """Cores this process may use, eight at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


def _shared(kind: GGMLQuantizationType, source: int, target: int, rows: int, columns: int) -> None:
    lib, parts = library(), min(threads(), rows)
    bounds = [rows * part // parts for part in range(parts + 1)]
    jobs = [
        _pool().submit(lib.ggml_quantize_chunk, kind, source, target, first * columns, last - first, columns, None)
        for first, last in itertools.pairwise(bounds)
    ]
    for job in jobs:
        job.result()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="gguf")
