"""The optimizer and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dlm_core.api import PluginMissingError, RunFailedError

from . import imports

if TYPE_CHECKING:
    import torch

    from dlm_core.api import TrainingSettings

OPTIMIZERS: Mapping[str, tuple[str, ...]] = {
    "adamw_torch": (),
    "adamw_bnb_8bit": ("bitsandbytes",),
    "paged_adamw_8bit": ("bitsandbytes",),
    "galore_adamw": ("galore-torch",),
    "galore_adamw_8bit": ("galore-torch", "bitsandbytes"),
}
"""What `training.optimizer` may name -> the packages it needs besides those that are always there."""

CLIP_NORM = 1.0


def make_optimizer(name: str, parameters: Iterable[torch.nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """One of `OPTIMIZERS`, all of them AdamW: they differ in what they keep of the gradients.

    No weight decay: LoRA's B starts at zero, and pulling the adapter to zero pulls it to the base, which is not what
    a document asks for.
    Raises RunFailedError for another name, and PluginMissingError for a package that is not installed.
    """
    if name not in OPTIMIZERS:
        raise RunFailedError(f"there is no optimizer {name}", f"set training.optimizer to {' or '.join(OPTIMIZERS)}")
    for package in OPTIMIZERS[name]:
        if not imports.is_installed(package):
            raise PluginMissingError(f"the package {package} is not installed", imports.how_to_install(package))
    make: Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer] = partial(_adamw, learning_rate)
    if "8bit" in name:
        make = partial(_adamw_8bit, learning_rate, name.startswith("paged"))
    if not name.startswith("galore"):
        return make(list(parameters))
    imports.import_bitsandbytes()  # galore_torch imports it, whatever is taken from there
    from .galore import GaLore

    return GaLore(list(parameters), learning_rate, make)


def _adamw(learning_rate: float, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW in its fused form, three to eight times faster on an adapter's many small tensors.

    State a parameter: `exp_avg` and `exp_avg_sq` in float32, and `step`.
    """
    import torch

    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0, fused=True)


def _adamw_8bit(learning_rate: float, paged: bool, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW with moments of 8 bits in blocks of 256 (Dettmers et al. 2022); tensors under 4,096 keep 32 bits.

    Paged moments move to main memory when the GPU's is full.  On a processor there is nowhere to move them.
    """
    bitsandbytes = imports.import_bitsandbytes()
    paged = paged and parameters[0].device.type != "cpu"
    made: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(
        parameters, lr=learning_rate, weight_decay=0.0, is_paged=paged
    )
    return made


# --- checkpoints --------------------------------------------------------------------------------------------------


def state_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """All that an optimizer keeps, as `<index of the parameter>.<name>`, on the CPU; counts become integers."""
    import torch

    found: dict[str, torch.Tensor] = {}
    for index, one, inner, keeper in _kept(optimizer):
        state = dict(keeper.state.get(inner, {}))
        if keeper is not optimizer:
            state |= optimizer.own_tensors(one)  # type: ignore[attr-defined]
        for name, value in state.items():
            # A copy: several parameters share one quantization map, which a safetensors file does not allow.
            found[f"{index}.{name}"] = torch.as_tensor(value).detach().to("cpu", copy=True)
    return found


def load_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what `state_tensors` gave.  Raises KeyError when it is another optimizer's."""
    for index, one, inner, keeper in _kept(optimizer):
        start = f"{index}."
        own = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        if keeper is not optimizer:
            optimizer.take_tensors(one, own)  # type: ignore[attr-defined]
        own = {name: value for name, value in own.items() if not name.startswith("galore_")}
        if own and hasattr(keeper, "init_state"):
            _fill(keeper, index, inner, own)
        elif own:
            keeper.state[inner] = {name: value.to(inner.device) for name, value in own.items()}


def _kept(
    optimizer: torch.optim.Optimizer,
) -> Iterator[tuple[int, torch.nn.Parameter, torch.nn.Parameter, torch.optim.Optimizer]]:
    """Each parameter with its number, and the parameter and optimizer under which its moments are found."""
    keeper = getattr(optimizer, "inner", optimizer)
    (group,), (inner,) = optimizer.param_groups, keeper.param_groups
    for index, (one, other) in enumerate(zip(group["params"], inner["params"], strict=True)):
        yield index, one, other, keeper


def _fill(keeper: Any, index: int, one: torch.nn.Parameter, values: Mapping[str, torch.Tensor]) -> None:
    """Restore 8-bit moments into buffers that bitsandbytes made, which may be paged."""
    (group,) = keeper.param_groups
    keeper.init_state(group, one, 0, index)
    state = keeper.state[one]
    for name, value in values.items():
        if name == "step":
            state[name] = int(value)
        elif not name.startswith("qmap"):  # of all states the same, and made anew
            state[name].copy_(value)


# --- the learning rate --------------------------------------------------------------------------------------------


def learning_rate(step: int, steps: int, peak: float, settings: TrainingSettings) -> float:
    """The rate of step `step`, counted from 0: a linear warm-up, then constant or down after the last step.

    It falls to the settings' `lr_floor`, a share of the peak that is zero as a rule.  The first step of the warm-up
    already learns, and cosine is half a period.
    """
    warmup = round(settings.warmup_ratio * steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    match settings.lr_scheduler:
        case "constant":
            return peak
        case "linear":
            return peak * _above(settings.lr_floor, 1 - done)
        case "cosine":
            return peak * _above(settings.lr_floor, 0.5 * (1 + math.cos(math.pi * done)))
        case other:
            raise RunFailedError(
                f"the schedule {other} is unknown", "set training.lr_scheduler to cosine, linear or constant"
            )


def _above(floor: float, share: float) -> float:
    """A share from 0 to 1 brought into the range from `floor` to 1."""
    return floor + (1 - floor) * share
