"""Token shards: one safetensors file a part and a split, and windows drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

DOCUMENT_PARTS = ("chat", "synth", "invented")


@dataclass(frozen=True, slots=True)
class Part:
    """The documents of one part end to end (each closed by the end-of-text token) and where each begins."""

    name: str
    tokens: NDArray[np.uint16]
    starts: NDArray[np.int64]


def write_part(folder: Path, split: str, name: str, documents: list[list[int]]) -> int:
    """Write one part of one split and return its number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = np.fromiter((token for document in documents for token in document), dtype=np.uint16)
    starts = np.cumsum([0] + [len(document) for document in documents[:-1]], dtype=np.int64)
    save_file({"tokens": tokens, "starts": starts}, folder / f"{name}.{split}.safetensors")
    return len(tokens)


def read_parts(folder: Path, split: str) -> dict[str, Part]:
    """Every part of one split, by name; `NAME-1`, `NAME-2` and so on are one part."""
    pieces: dict[str, list[Part]] = {}
    for path in sorted(folder.glob(f"*.{split}.safetensors")):
        name = path.name.split(".")[0].split("-")[0]
        arrays = load_file(path)
        pieces.setdefault(name, []).append(Part(name, arrays["tokens"], arrays["starts"]))
    return {name: _joined(parts) for name, parts in pieces.items()}


def _joined(parts: list[Part]) -> Part:
    shifts = np.cumsum([0] + [len(part.tokens) for part in parts[:-1]])
    starts = [part.starts + shift for part, shift in zip(parts, shifts, strict=True)]
    return Part(parts[0].name, np.concatenate([part.tokens for part in parts]), np.concatenate(starts))


def draw(
    parts: dict[str, Part], shares: dict[str, float], rng: np.random.Generator, rows: int, length: int, at_start: float
) -> NDArray[np.int64]:
    """Windows (rows, length + 1) from the parts in the given shares.

    In the parts made of short documents a window begins at a document's start with probability `at_start`.
    """
    names = [name for name in parts if shares.get(name)]
    weights = np.array([shares[name] for name in names])
    chosen = rng.choice(len(names), size=rows, p=weights / weights.sum())
    windows = np.empty((rows, length + 1), dtype=np.int64)
    for index, name in enumerate(names):
        where = np.flatnonzero(chosen == index)
        part = parts[name]
        last = len(part.tokens) - length - 1
        begin = rng.integers(0, last + 1, size=len(where))
        if name in DOCUMENT_PARTS:
            aligned = part.starts[rng.integers(0, len(part.starts), size=len(where))]
            begin = np.where(rng.random(len(where)) < at_start, aligned, begin)
        windows[where] = part.tokens[np.minimum(begin, last)[:, None] + np.arange(length + 1)]
    return windows


def validation_windows(part: Part, length: int, limit: int) -> NDArray[np.int64]:
    """The same consecutive windows (rows, length + 1) at every call, about `limit` tokens of them."""
    rows = max(1, min(limit, len(part.tokens) - 1) // length)
    begin = np.arange(rows)[:, None] * length
    return np.asarray(part.tokens[begin + np.arange(length + 1)], dtype=np.int64)
