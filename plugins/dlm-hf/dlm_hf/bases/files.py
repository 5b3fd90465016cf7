"""Which files make a usable base, why a folder is not one, and the hash that identifies its contents."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from dlm_core.api import BaseMissingError
from dlm_core.files import default_home, write_file

from ..shape import weight_files

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_NAMES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
)


def check_folder(folder: Path) -> None:
    """Raise BaseMissingError unless `folder` holds configuration, tokenizer and safetensors weights."""
    problem = what_is_missing(folder)
    if problem:
        raise BaseMissingError(f"{folder} cannot be a base model: {problem[0]}", problem[1])


def what_is_missing(folder: Path) -> tuple[str, str] | None:
    """Why the folder is no usable base, with a hint, or None."""
    copy = "copy the whole model folder, as `save_pretrained` or the hub writes it"
    if not folder.is_dir():
        return "there is no such folder", copy
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            return f"{name} is missing", copy
    files = weight_files(folder)
    if not files and any(True for pattern in _PICKLES for _ in folder.glob(pattern)):
        return (
            "its weights are pickles, which can run code when they are read, and are never opened",
            "save it again with `save_pretrained(..., safe_serialization=True)`, or take a safetensors copy",
        )
    if not files:
        return "it has no .safetensors weights", copy
    gone = [file.name for file in files if not file.is_file()]
    return (f"{', '.join(gone)} is missing", copy) if gone else None


def folder_sha256(folder: Path) -> str:
    """SHA-256, 64 hex digits, over name, size and SHA-256 of every file that decides what the model computes."""
    names = [folder / name for name in _NAMES if (folder / name).is_file()]
    total = hashlib.sha256()
    with _HashCache() as cache:
        for file in sorted(names + weight_files(folder), key=lambda path: path.name):
            total.update(f"{file.name} {file.stat().st_size} {cache.sha256(file)}\n".encode())
    return total.hexdigest()


class _HashCache:
    """Hashes of large files, remembered by path, size and modification time in one small JSON file.

    Losing the file costs only time, so two processes that write it at once need no lock, and one that cannot be
    read or written is ignored.
    """

    SMALL = 64 * 2**20  # bytes; hashing less takes under a tenth of a second

    def __init__(self) -> None:
        self.path = default_home() / "cache" / "weight-hashes.json"
        self.known: dict[str, Any] = {}
        self.changed = False

    def __enter__(self) -> _HashCache:
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self.path.read_text())
            self.known = known if isinstance(known, dict) else {}
        return self

    def __exit__(self, *_: object) -> None:
        if self.changed:
            with contextlib.suppress(OSError):
                self._write()

    def sha256(self, file: Path) -> str:
        real = file.resolve()
        status = real.stat()
        if status.st_size < self.SMALL:
            return _sha256(real)
        stamp = [status.st_size, status.st_mtime_ns]
        entry = self.known.get(str(real))
        if not (isinstance(entry, list) and entry[:2] == stamp):
            self.known[str(real)] = entry = [*stamp, _sha256(real)]
            self.changed = True
        return str(entry[2])

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self.path, json.dumps(self.known).encode())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
