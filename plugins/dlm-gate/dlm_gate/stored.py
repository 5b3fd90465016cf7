"""The gate's folder beside a version's adapters: what it is in `gate.json`, its weights in `gate.safetensors`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlm_core.api import RunFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from .network import Network

NAME = "gate"
#: The folder, beside those of the adapters.
FOLDER = f"_{NAME}"
_ABOUT, _WEIGHTS = "gate.json", "gate.safetensors"
_HINT = "train the document again"


@dataclass(frozen=True, slots=True)
class Stored:
    """Which adapters there are, in the gate's order, their mean shares, and why it is as it is.

    Of a gate that is not `learned` the shares hold for every prompt.
    """

    learned: bool
    shares: Mapping[str, float]
    reason: str

    @property
    def names(self) -> list[str]:
        return list(self.shares)


def save_uniform(out: Path, names: Sequence[str], reason: str) -> None:
    """Write a gate for which all adapters weigh the same, because of `reason`."""
    _write_about(out, Stored(False, {name: 1 / len(names) for name in names}, reason))


def save_learned(out: Path, gate: Network, names: Sequence[str], shares: Mapping[str, float], taught_by: str) -> None:
    """Write a gate that learned from what `taught_by` says; `shares` are its mean weights over that."""
    import safetensors.torch

    _write_about(out, Stored(True, {name: shares[name] for name in names}, f"learned from {taught_by}"))
    tensors = {name: one.contiguous() for name, one in sorted(gate.tensors().items())}
    safetensors.torch.save_file(tensors, out / FOLDER / _WEIGHTS)


def read_about(folder: Path) -> Stored:
    """What lies in a gate's folder.  Raises RunFailedError when it cannot be read."""
    path = folder / _ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        shares = {str(name): float(share) for name, share in about["shares"]}
        return Stored(bool(about["learned"]), shares, str(about["reason"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFailedError(f"{path} cannot be read: {error}", _HINT) from None


def read_network(folder: Path) -> Network:
    """The gate's weights.  Raises RunFailedError when they are damaged."""
    import safetensors
    import safetensors.torch

    from .network import Network

    try:
        return Network.of(safetensors.torch.load_file(folder / _WEIGHTS))
    except (OSError, KeyError, safetensors.SafetensorError) as error:
        raise RunFailedError(f"{folder / _WEIGHTS} cannot be read: {error}", _HINT) from None


def _write_about(out: Path, about: Stored) -> None:
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    found = {"learned": about.learned, "reason": about.reason, "shares": [*about.shares.items()]}
    (folder / _ABOUT).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
