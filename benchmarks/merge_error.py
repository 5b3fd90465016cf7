"""How far weighted merges of adapters are from the true sum of what the adapters change: ours beside PEFT's.

    python benchmarks/merge_error.py [--json]

For each pair of adapters (random matrices on a random base, in float64): each adapter alone is merged by PEFT, and the
weighted sum of both changes is the truth.  `--adapter-mix` and `add_weighted_adapter` make one adapter of the two, and
PEFT merges that in the same way.  Printed is the Frobenius norm of the difference over the truth's, over all weights.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PEFT_WAYS = ("linear", "svd", "cat")


@dataclass(frozen=True)
class Pair:
    """Two adapters, by what sets them apart from LoRA of rank 8 and alpha 16, and their weights."""

    name: str
    one: Mapping[str, Any] = field(default_factory=dict)
    two: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[float, float] = (1.0, 0.5)


PAIRS = (
    Pair("lora r8 + lora r8"),
    Pair("the same, 0.5 and 0.5", weights=(0.5, 0.5)),
    Pair("the same, 1 and -0.5", weights=(1.0, -0.5)),
    Pair("other alphas: 16 and 64", two={"lora_alpha": 64}),
    Pair("other ranks: 4 and 16", {"r": 4}, {"r": 16}),
    Pair("other targets", {"target_modules": ["q_proj", "v_proj"]}, {"target_modules": ["v_proj", "up_proj"]}),
    Pair("rsLoRA r8 + rsLoRA r8", {"use_rslora": True}, {"use_rslora": True}),
    Pair("rsLoRA r16 + lora r16", {"use_rslora": True, "r": 16}, {"r": 16}),
    Pair("DoRA r8 + DoRA r8", {"use_dora": True}, {"use_dora": True}),
    Pair("DoRA r8 + lora r8", {"use_dora": True}),
)

Weights = Mapping[str, Any]


def main() -> None:
    from dlm_hf.imports import prepare
    from dlm_hf.testing import make_small_base

    prepare()
    with tempfile.TemporaryDirectory() as folder:
        base = make_small_base(Path(folder) / "base", hidden=128, intermediate=256, tied=False)
        rows = [{"pair": pair.name, **measure(base, Path(folder), number, pair)} for number, pair in enumerate(PAIRS)]
    if "--json" in sys.argv:
        print(json.dumps(rows))
        return
    ways = ("ours", *PEFT_WAYS)
    print("| adapters | `--adapter-mix` | " + " | ".join(f"PEFT `{way}`" for way in PEFT_WAYS) + " |")
    print("|---|" + "---|" * len(ways))
    for row in rows:
        print(f"| {row['pair']} | " + " | ".join(shown(row[way]) for way in ways) + " |")


def shown(found: float | str) -> str:
    return found if isinstance(found, str) else f"{found:.1e}" if found < 1e-3 else f"{found:.1%}"


def measure(base: Path, place: Path, number: int, pair: Pair) -> dict[str, float | str]:
    """The relative error of each way, or `refused`."""
    folder = place / f"pair{number}"
    for seed, (name, options) in enumerate((("one", pair.one), ("two", pair.two))):
        make_adapter(base, folder / name, 10 * number + seed, options)
    alone = [changes(base, folder / name) for name in ("one", "two")]
    weighted = list(zip(pair.weights, alone, strict=True))
    truth = {name: sum(weight * one[name] for weight, one in weighted) for name in alone[0]}
    found: dict[str, float | str] = {"ours": attempt(lambda: ours(base, folder, pair), truth)}
    for way in PEFT_WAYS:
        found[way] = attempt(lambda way=way: by_peft(base, folder, pair, way), truth)  # type: ignore[misc]
    return found


def attempt(make: Callable[[], Weights], truth: Weights) -> float | str:
    from dlm_core.api import CannotMixError

    try:
        found = make()
    except (CannotMixError, ValueError, RuntimeError) as error:
        return "refused" if isinstance(error, CannotMixError | ValueError) else "fails"
    off = sum(float((found[name] - truth[name]).square().sum()) for name in truth)
    return float((off / sum(float(one.square().sum()) for one in truth.values())) ** 0.5)


def load(base: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float64)


def make_adapter(base: Path, folder: Path, seed: int, options: Mapping[str, Any]) -> None:
    """Matrices as training leaves them: both small, neither zero."""
    import peft
    import torch

    torch.manual_seed(seed)
    usual = {"r": 8, "lora_alpha": 16, "target_modules": list(LINEAR), "task_type": "CAUSAL_LM"}
    model = peft.get_peft_model(load(base), peft.LoraConfig(**{**usual, **options}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.02)
    model.save_pretrained(folder)


def changes(base: Path, *adapter: Path, way: str = "", weights: tuple[float, ...] = ()) -> Weights:
    """What one adapter, or PEFT's mix of several, changes in each of the base's weights; float64."""
    import peft

    model = load(base)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    adapted = peft.PeftModel.from_pretrained(model, str(adapter[0]), adapter_name=adapter[0].name)
    if way:
        for other in adapter[1:]:
            adapted.load_adapter(str(other), adapter_name=other.name)
        adapted.add_weighted_adapter([one.name for one in adapter], list(weights), "mixed", combination_type=way)
        adapted.set_adapter("mixed")
    merged = adapted.merge_and_unload(adapter_names=["mixed" if way else adapter[0].name])
    return {name: one - before[name] for name, one in merged.state_dict().items()}


def ours(base: Path, folder: Path, pair: Pair) -> Weights:
    from dlm_core.api import BaseModel
    from dlm_hf.engine import HfEngine
    from dlm_hf.mix import mix_adapters

    located = HfEngine().locate(BaseModel("small", str(base)), fetch=False)
    weights = dict(zip(("one", "two"), pair.weights, strict=True))
    mix_adapters(located, folder, weights, "mix", folder / "ours")
    return changes(base, folder / "ours" / "mix")


def by_peft(base: Path, folder: Path, pair: Pair, way: str) -> Weights:
    return changes(base, folder / "one", folder / "two", way=way, weights=pair.weights)


if __name__ == "__main__":
    main()
