"""LoRA adapters: where they attach, how they start, and how they lie on disk (PEFT's layout)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError

from . import token_rows

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from dlm_core.api import AdapterSettings

# PEFT's own name for an only adapter; the folder carries the document's name for it.
_NAME = "default"
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def attach(model: Any, settings: AdapterSettings, base_key: str) -> Any:
    """Put a new adapter on a base; its first matrices are drawn from torch's current random state.

    `qlora` is LoRA: what differs is how the base was loaded.
    Raises RunFailedError for target modules that the base does not have.
    """
    import peft
    from transformers.pytorch_utils import Conv1D

    from .cpu_lora import quicken

    options = {
        "r": settings.lora_r,
        "lora_alpha": settings.lora_alpha,
        "lora_dropout": settings.lora_dropout,
        "use_dora": settings.adapter == "dora",
        "target_modules": targets(model, settings.target_modules),
        "bias": "none",
        "fan_in_fan_out": any(isinstance(layer, Conv1D) for layer in linear_layers(model).values()),
        "task_type": "CAUSAL_LM",
    }
    if unknown := options.keys() - {field.name for field in fields(peft.LoraConfig)}:
        raise RunFailedError(f"the installed peft {peft.__version__} has no LoRA option {', '.join(sorted(unknown))}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")  # peft asks by the old name
        adapted = peft.get_peft_model(model, peft.LoraConfig(**options), adapter_name=_NAME)
    if model.device.type == "cpu":
        quicken(adapted)
    # peft writes the folder it was loaded from; an adapter names its base by the key that holds on every machine.
    adapted.peft_config[_NAME].base_model_name_or_path = base_key
    return adapted


def detach(model: Any) -> Any:
    """Take the adapter off; the base is as it was."""
    if (rows := token_rows.rows_of(model)) is not None:
        rows.remove()
    return model.unload()


def targets(model: Any, wanted: str | tuple[str, ...]) -> list[str]:
    """The module names an adapter attaches to; `auto` means every linear layer but the head.

    In a base that also takes in media these are the layers of its language model; others only by their whole name.
    """
    known = linear_layers(model)
    spoken = language_layers(model)
    if wanted == "auto":
        return sorted({_last(name) for name in spoken} if _is_all(model, spoken, known) else spoken)
    listed = sorted(wanted)
    missing = [one for one in listed if not any(name == one or name.endswith(f".{one}") for name in known)]
    if missing:
        available = ", ".join(sorted({name.rpartition(".")[2] for name in known}))
        raise RunFailedError(
            f"the base has no linear layer named {', '.join(missing)}", f"training.target_modules can name: {available}"
        )
    if _is_all(model, spoken, known):
        return listed
    return sorted({name for one in listed for name in _matching(one, spoken) or _matching(one, known)})


def language_layers(model: Any) -> list[str]:
    """The linear layers of the model that writes, but its head: what takes in media stays as the base has it."""
    head, decoder = model.get_output_embeddings(), model.get_decoder() if hasattr(model, "get_decoder") else None
    inside = next((f"{name}." for name, module in model.named_modules() if module is decoder and name), "")
    return [name for name, module in linear_layers(model).items() if module is not head and name.startswith(inside)]


def _is_all(model: Any, spoken: Sequence[str], known: Mapping[str, Any]) -> bool:
    head = model.get_output_embeddings()
    return len(spoken) == sum(module is not head for module in known.values())


def _matching(wanted: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name == wanted or name.endswith(f".{wanted}")]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def linear_layers(model: Any) -> dict[str, Any]:
    """Every linear layer by its dotted name, GPT-2's transposed ones included."""
    import torch
    from transformers.pytorch_utils import Conv1D

    return {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear | Conv1D)}


def trainable(model: Any) -> dict[str, torch.nn.Parameter]:
    """The parameters that learn or did so at first, in the model's order."""
    return {name: one for name, one in model.named_parameters() if one.requires_grad or token_rows.is_rows(name)}


def snapshot(model: Any) -> dict[str, torch.Tensor]:
    """A copy on the CPU of what learns."""
    return {name: one.detach().to("cpu", copy=True) for name, one in trainable(model).items()}


def restore(model: Any, values: Mapping[str, torch.Tensor]) -> None:
    """Put a snapshot back.  Raises KeyError when it is of another adapter."""
    import torch

    with torch.no_grad():
        for name, one in trainable(model).items():
            one.copy_(values[name])


def warm_start(model: Any, folder: Path) -> None:
    """Continue from an adapter on disk.  Raises RunFailedError when its settings or shapes are not the model's.

    Its embedding rows were taken when the model was given its own.
    """
    import peft
    import safetensors.torch

    old = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    new = json.loads(config_json(model))
    changed = [
        f"{name} was {old.get(name)}, is {new[name]}"
        for name in ("r", "lora_alpha", "use_dora", "use_rslora", "target_modules")
        if old.get(name) != new[name]
    ]
    values = _without_rows(safetensors.torch.load_file(folder / _WEIGHTS))
    own = _without_rows(adapter_tensors(model))
    shapes = {name: tuple(one.shape) for name, one in values.items()}
    if not changed and shapes != {name: tuple(one.shape) for name, one in own.items()}:
        changed = ["its tensors have other names or shapes"]
    if changed:
        raise RunFailedError(
            f"training cannot continue from the adapter before: {'; '.join(changed)}",
            "put the old settings back, or train from the base again",
        )
    peft.set_peft_model_state_dict(model, values, adapter_name=_NAME)


def adapter_tensors(model: Any) -> dict[str, torch.Tensor]:
    """The adapter under the names of PEFT's file, contiguous and on the CPU."""
    import peft

    found = peft.get_peft_model_state_dict(model, adapter_name=_NAME, save_embedding_layers=False)
    if (rows := token_rows.rows_of(model)) is not None:
        found[token_rows.stored_name(model)] = rows.values()
    return {name: found[name].detach().to("cpu").contiguous() for name in sorted(found)}


def _without_rows(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: one for name, one in tensors.items() if not name.endswith(token_rows.STORED)}


def config_json(model: Any) -> str:
    """`adapter_config.json`: sorted, free of paths and of anything that differs between equal runs."""
    settings = {**model.peft_config[_NAME].to_dict(), "inference_mode": True}
    if (rows := token_rows.rows_of(model)) is not None:
        settings[token_rows.INDICES] = rows.ids
    return json.dumps(_plain(settings), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def save_adapter(model: Any, folder: Path) -> Path:
    """Write the adapter in PEFT's layout.  Equal adapters give equal bytes."""
    import safetensors.torch

    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(adapter_tensors(model), folder / _WEIGHTS, metadata={"format": "pt"})
    (folder / _CONFIG).write_text(config_json(model), encoding="utf-8")
    return folder


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.value if isinstance(value, Enum) else value
