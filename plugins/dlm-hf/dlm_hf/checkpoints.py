"""Checkpoints: one folder each, complete or absent.  Safetensors and JSON only."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlm_core import files
from dlm_core.api import RunFailedError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

_TENSORS, _STATE = "state.safetensors", "state.json"


def prefix(name: str) -> str:
    """How the folders with an adapter's checkpoints are called, up to the step's number."""
    return f"checkpoint-{name}-"


def write(work: Path, name: str, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> Path:
    """Save `work/<name>` atomically.  Raises RunFailedError when the disk does not take it; nothing is then left.

    `state` is JSON; floats survive it exactly.  A folder of that name that exists already is replaced.
    """
    import safetensors.torch

    with whole_folder(work / name) as folder:
        safetensors.torch.save_file({key: one.contiguous() for key, one in tensors.items()}, folder / _TENSORS)
        (folder / _STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    return work / name


def read(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint.  Raises RunFailedError when a file is damaged."""
    import safetensors
    import safetensors.torch

    try:
        state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        return safetensors.torch.load_file(folder / _TENSORS), state
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise RunFailedError(f"the checkpoint {folder} is damaged: {error}", "train without resuming") from error


def latest(work: Path, prefix: str) -> Path | None:
    """The last of the folders `<prefix><number>`, or None."""
    found = [path for path in work.glob(f"{prefix}*") if path.name.removeprefix(prefix).isdigit()]
    return max(found, key=lambda path: int(path.name.removeprefix(prefix)), default=None)


def remove(work: Path, prefix: str, keep: Path | None = None) -> None:
    """Delete checkpoints of this prefix but `keep`, and what a killed process left of a half-written one."""
    for path in [*work.glob(f"{prefix}*"), *work.glob(f".{prefix}*")]:
        if path != keep:
            shutil.rmtree(path)


def refuse_other(state: Mapping[str, Any], fingerprint: Mapping[str, str]) -> None:
    """Raise RunFailedError, naming what changed, when a checkpoint's fingerprint is not the job's."""
    saved: Mapping[str, str] = state["fingerprint"]
    changed = sorted(key for key in saved.keys() | fingerprint.keys() if saved.get(key) != fingerprint.get(key))
    if changed:
        raise RunFailedError(
            f"the checkpoint belongs to another run: {', '.join(changed)} changed since",
            "put that back as it was to resume, or train without resuming",
        )


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into that appears as `target`, files and folder synced, when the block ends without error.

    Raises RunFailedError when the disk does not take it; `target` is then as it was before.
    """
    from safetensors import SafetensorError  # what save_file raises for a full disk is no OSError

    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir()
        yield draft
        files.sync_tree(draft)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
        files.sync(target.parent)
    except (OSError, SafetensorError) as error:
        raise _unwritten(target, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def copy_folder(source: Path, target: Path) -> None:
    """Copy an adapter's folder over `target`.  Raises RunFailedError, leaving no `target`, when the disk is full."""
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise _unwritten(target, error) from error


def _unwritten(target: Path, error: Exception) -> RunFailedError:
    return RunFailedError(
        f"{target} could not be written: {error}",
        "make room on that disk, then run the same command again with --resume: the last whole checkpoint is kept",
    )
