"""A weighted sum of adapters as one adapter, exactly.

With Bᵢ·Aᵢ for the change that adapter i makes to a weight, sᵢ its scale and wᵢ the weight asked for,

    Σ wᵢ·sᵢ·Bᵢ·Aᵢ = [w₁s₁B₁ w₂s₂B₂ …] · [A₁; A₂; …],

a product of rank Σ rᵢ: nothing is left out and nothing estimated, whatever the ranks, scales, signs and targets.  What
is written is read again and held against that sum in float64.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlm_core.api import CannotMixError, Mix, RunFailedError

from .adapters import WEIGHTS
from .merge import lora_scale, rank_of, read_parts, read_tensor
from .token_rows import INDICES, STORED

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from dlm_core.api import LocatedBase

    from .shape import TensorInfo

_PREFIX = "base_model.model."
#: The parts that the sum knows: LoRA's matrices of a linear layer or an embedding, and embedding rows.
_KNOWN = {"lora_A.weight", "lora_B.weight", "lora_embedding_A", "lora_embedding_B", STORED}
#: Settings under which an adapter is more than B·A on the base's own weights.
_FOREIGN = ("layer_replication", "target_parameters", "alora_invocation_tokens", "arrow_config", "use_qalora")
_FOREIGN_STARTS = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, slots=True)
class Member:
    """An adapter of the sum.  `parts` are its tensors by module."""

    name: str
    weight: float
    config: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, TensorInfo]]


@dataclass(frozen=True, slots=True)
class Factors:
    """One module's change B·A in float64: `b` is (out, rank), `a` (rank, in).  `names` are those of the two parts."""

    a: Tensor
    b: Tensor
    names: tuple[str, str]


def mix_adapters(base: LocatedBase, adapters: Path, weights: Mapping[str, float], name: str, out: Path) -> Mix:
    """Write Σ weight·adapter of the adapters in a folder as the adapter `name` in `out`, in PEFT's layout.

    An adapter of weight 0 is left out.  Raises CannotMixError for one that no sum of low-rank matrices holds.
    """
    members = [_member(adapters / one, one, weight) for one, weight in weights.items() if weight] or [
        _member(adapters / one, one, 0.0) for one in [*weights][:1]
    ]
    _refuse_different(members)
    folder = out / name
    modules = list(dict.fromkeys(module for member in members for module in member.parts))
    tensors: dict[str, Tensor] = {}
    for module in modules:
        if (found := _joined(members, module)) is not None:
            for part, value in zip(found.names, (found.a, found.b), strict=True):
                tensors[f"{_PREFIX}{module}.{part}"] = value.float().contiguous()
    ids = sorted({one for member in members for one in member.config.get(INDICES) or ()})
    for module in modules:
        if any(STORED in member.parts.get(module, {}) for member in members):
            before = _base_rows(base, module, ids)
            tensors[f"{_PREFIX}{module}.{STORED}"] = (before + _row_change(base, members, module, ids)).float()
    _save(folder, members[0].config, tensors, ids)
    error = _error(base, members, folder, ids)
    return Mix(name, dict(weights), max(_ranks(tensors).values(), default=0), error)


def _member(folder: Path, name: str, weight: float) -> Member:
    config, parts, replaced = read_parts(folder)
    start = str(config.get("init_lora_weights", "")).lower()
    foreign = [key for key in _FOREIGN if config.get(key)]
    foreign += [f"init_lora_weights: {start}"] if start.startswith(_FOREIGN_STARTS) else []
    unknown = sorted({part for one in parts.values() for part in one} - _KNOWN)
    why = ""
    if config.get("use_dora"):
        why = "is a DoRA: it gives each row of a weight a new length, and such changes add up to no low-rank matrices"
    elif replaced:
        why = f"replaces {min(replaced)} whole"
    elif foreign or unknown:
        why = f"uses {(foreign + unknown)[0]}, which no sum of low-rank matrices holds"
    if why:
        raise CannotMixError(
            f"the adapter {name} cannot be mixed: it {why}",
            "mix adapters of kind lora, or use this one alone with --adapter",
        )
    return Member(name, weight, config, parts)


def _refuse_different(members: Sequence[Member]) -> None:
    if len({bool(member.config.get("fan_in_fan_out")) for member in members}) > 1:
        raise CannotMixError("the adapters store their base's weights in different orders and cannot be mixed")


def _factors(member: Member, module: str) -> Factors | None:
    """w·s·B and A of one adapter in float64; None where it has none."""
    parts = member.parts.get(module, {})
    if not parts.keys() - {STORED}:
        return None
    names = ("lora_embedding_A", "lora_embedding_B")
    names = names if names[0] in parts else ("lora_A.weight", "lora_B.weight")
    scale = lora_scale(member.config, module, rank_of(parts)) * member.weight
    a, b = (read_tensor(parts[name]).double() for name in names)
    return Factors(a, scale * b, names)


def _joined(members: Sequence[Member], module: str) -> Factors | None:
    """The factors of the weighted sum, side by side."""
    import torch

    found = [one for member in members if (one := _factors(member, module)) is not None]
    if not found:
        return None
    return Factors(torch.cat([one.a for one in found], 0), torch.cat([one.b for one in found], 1), found[0].names)


def _base_rows(base: LocatedBase, module: str, ids: Sequence[int]) -> Tensor:
    """The base's embedding rows in float64; the mean row for ids that it has none for."""
    from .shape import read_tensors

    info = next((one for one in read_tensors(base.folder) if one.name == f"{module}.weight"), None)
    if info is None:
        raise RunFailedError(f"the adapters change rows of {module}, which the base's files do not hold")
    weight = read_tensor(info)
    from .embeddings import grown

    if ids and max(ids) >= len(weight):
        weight = grown(weight, max(ids) + 1)
    return weight[list(ids)].double()


def _row_change(base: LocatedBase, members: Sequence[Member], module: str, ids: Sequence[int]) -> Tensor:
    """Σ wᵢ·(rowᵢ - base row) in float64 for all of `ids`; an adapter without a row leaves it as it is."""
    before = _base_rows(base, module, ids)
    change, places = before * 0, {one: place for place, one in enumerate(ids)}
    for member in members:
        if (info := member.parts.get(module, {}).get(STORED)) is not None:
            at = [places[one] for one in member.config[INDICES]]
            change[at] += member.weight * (read_tensor(info).double() - before[at])
    return change


def _ranks(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """The rank of each module's factors."""
    ends = (".lora_A.weight", ".lora_embedding_A")
    named = [(name, next((end for end in ends if name.endswith(end)), "")) for name in tensors]
    return {name.removeprefix(_PREFIX).removesuffix(end): len(tensors[name]) for name, end in named if end}


def _save(folder: Path, like: Mapping[str, Any], tensors: Mapping[str, Tensor], ids: Sequence[int]) -> None:
    """Write settings and tensors.  Alpha is the rank, so that PEFT's scale is 1."""
    import safetensors.torch

    ranks = _ranks(tensors)
    usual = Counter(ranks.values()).most_common(1)[0][0] if ranks else 1
    others = {module: rank for module, rank in ranks.items() if rank != usual}
    kept = ("peft_type", "task_type", "base_model_name_or_path", "fan_in_fan_out")
    config: dict[str, Any] = {
        **{key: like[key] for key in kept if key in like},
        "r": usual,
        "lora_alpha": usual,
        "rank_pattern": others,
        "alpha_pattern": others,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        "target_modules": sorted(ranks),
    }
    if ids:
        config[INDICES] = list(ids)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(
        {name: tensors[name] for name in sorted(tensors)}, folder / WEIGHTS, metadata={"format": "pt"}
    )
    text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def _error(base: LocatedBase, members: Sequence[Member], folder: Path, ids: Sequence[int]) -> float:
    """‖written - true‖ / ‖true‖ over all weights (Frobenius), of what lies on disk; 0 when the true sum is 0."""
    written = _member(folder, folder.name, 1.0)
    off = true = 0.0
    for wrong, right in _norms(base, members, written, ids):
        off, true = off + wrong**2, true + right**2
    return float((off / true) ** 0.5) if true else float(off**0.5)


def _norms(
    base: LocatedBase, members: Sequence[Member], written: Member, ids: Sequence[int]
) -> Iterator[tuple[float, float]]:
    """The norm of the difference and of the true sum, module by module."""
    import torch

    for module in dict.fromkeys([*written.parts, *(name for member in members for name in member.parts)]):
        right, mine = _joined(members, module), _factors(written, module)
        if right is not None and mine is not None:
            yield _norm(torch.cat([mine.b, -right.b], 1), torch.cat([mine.a, right.a], 0)), _norm(right.b, right.a)
        elif right is not None:
            yield _norm(right.b, right.a), _norm(right.b, right.a)
        if STORED in written.parts.get(module, {}):
            true = _row_change(base, members, module, ids)
            found = _row_change(base, [written], module, ids)
            yield float((found - true).norm()), float(true.norm())


def _norm(b: Tensor, a: Tensor) -> float:
    """‖B·A‖, without forming the product: with B = Q·R it is ‖R·A‖."""
    import torch

    return float((torch.linalg.qr(b, mode="r").R @ a).norm())
