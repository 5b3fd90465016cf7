"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from dlm_core import files


def save(folder: Path, tensors: dict[str, dict[str, Tensor]], facts: dict[str, Any]) -> None:
    """Write `NAME.safetensors` for each group and `facts.json`, then rename the folder into place."""
    scratch = folder.with_name(folder.name + ".part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, group in tensors.items():
        cpu = {key: tensor.detach().cpu().contiguous() for key, tensor in group.items()}
        save_file(cpu, scratch / f"{name}.safetensors", metadata={"format": "pt"})
    (scratch / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    files.sync_tree(scratch)
    shutil.rmtree(folder, ignore_errors=True)
    files.rename(scratch, folder)


def load(folder: Path, *names: str) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """The named groups of tensors and the facts."""
    groups = {name: load_file(folder / f"{name}.safetensors") for name in names}
    return groups, json.loads((folder / "facts.json").read_text())


def latest(work: Path) -> Path | None:
    """The newest whole checkpoint under `work`, if there is one."""
    found = [path for path in work.glob("step-*") if not path.name.endswith(".part")]
    return max(found, key=lambda path: int(path.name.split("-")[1]), default=None)


def prune(work: Path, keep: int = 2) -> None:
    """Remove all but the newest checkpoints."""
    found = [path for path in work.glob("step-*") if not path.name.endswith(".part")]
    for path in sorted(found, key=lambda path: int(path.name.split("-")[1]))[:-keep]:
        shutil.rmtree(path)
