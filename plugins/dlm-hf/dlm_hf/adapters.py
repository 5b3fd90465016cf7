"""Putting trained adapters onto a base and off again.  An adapter's files are data: nothing in them runs."""

from __future__ import annotations

import json
import re
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError

from .shape import read_header

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_HINT = "train the document again, or take the adapter from where it was made"


def adapter_folders(folder: Path) -> dict[str, Path]:
    """The adapters in a folder, by name: each is a subfolder in PEFT's layout."""
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/adapter_config.json"))}


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json of a LoRA adapter.  Raises RunFailedError for anything that is not plain data about one.

    PEFT takes a string in `target_modules` as a regular expression, which a stranger's file can make run for
    ever, and imports what `auto_mapping` names: both are refused here.
    """
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFailedError(f"{path} cannot be read: {error}", _HINT) from None
    problem = _problem(config)
    if problem is None and not (folder / WEIGHTS).is_file():
        problem = f"there is no {WEIGHTS} beside it"
    if problem:
        raise RunFailedError(f"{path} is refused: {problem}", _HINT)
    assert isinstance(config, dict)
    return config


def attach(model: PreTrainedModel, folders: dict[str, Path]) -> PeftModel:
    """The model with every adapter loaded, the first one active.  The model itself is changed until `detach`.

    Raises RunFailedError for an adapter that was trained on another base.
    """
    for folder in folders.values():
        read_adapter_config(folder)
    peft_model: PeftModel | None = None
    for name, folder in folders.items():
        peft_model = _add(peft_model or model, name, folder)
    assert peft_model is not None
    peft_model.set_adapter(next(iter(folders)), inference_mode=True)
    peft_model.eval()
    return peft_model


def detach(peft_model: PeftModel) -> PreTrainedModel:
    """The base as it was before `attach`."""
    base: PreTrainedModel = peft_model.unload()
    return base


def active(peft_model: PeftModel | None, adapter: str | None) -> AbstractContextManager[Any]:
    """A context in which `adapter`, or the base alone for None, answers.  Raises RunFailedError for an unknown one."""
    if adapter is None:
        return nullcontext() if peft_model is None else peft_model.disable_adapter()
    if peft_model is None or adapter not in peft_model.peft_config:
        known = ", ".join(peft_model.peft_config) if peft_model else "none"
        raise RunFailedError(f"there is no adapter {adapter!r} here", f"loaded: {known}")
    peft_model.set_adapter(adapter, inference_mode=True)
    return nullcontext()


def _add(model: Any, name: str, folder: Path) -> PeftModel:
    """Load one adapter and see to it that every tensor of its file found its place, which peft only warns of."""
    from peft import PeftModel, get_peft_model_state_dict

    message = f"the adapter in {folder} does not belong to this base"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if isinstance(model, PeftModel):
                model.load_adapter(str(folder), adapter_name=name, is_trainable=False)
            else:
                model = PeftModel.from_pretrained(model, str(folder), adapter_name=name, is_trainable=False)
        except (RuntimeError, ValueError) as error:  # other shapes; none of the target modules
            raise RunFailedError(f"{message}: {str(error).splitlines()[0]}", _HINT) from error
    stored = {info.name for info in read_header(folder / WEIGHTS)}
    placed = set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    if stored != placed:
        raise RunFailedError(f"{message}: {min(stored ^ placed)} is not in both", _HINT)
    return model


def _problem(config: Any) -> str | None:
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        return "it describes no LoRA adapter"
    if config.get("auto_mapping") or config.get("megatron_config"):
        return "it names code to import"
    for key in ("target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "target_parameters"):
        value = config.get(key)
        if value is not None and not (isinstance(value, list) and all(_plain(item) for item in value)):
            return f"{key} is not a list of plain names"
    ids = config.get("trainable_token_indices")
    if ids is not None and not (isinstance(ids, list) and all(type(one) is int and one >= 0 for one in ids)):
        return "trainable_token_indices is not a list of token ids"
    for key in ("rank_pattern", "alpha_pattern"):
        if not all(_plain(name) for name in config.get(key) or {}):
            return f"{key} has a name that is a pattern"
    return None


def _plain(item: object) -> bool:
    return isinstance(item, int) or (isinstance(item, str) and _NAME.fullmatch(item) is not None)
