"""Loading a base into memory, once for everything that one process does with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from dlm_core.api import BaseMissingError, LocatedBase, Precision, RunFailedError

from . import heap, imports
from .shape import read_config, read_tensors

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Key = tuple[str, str, str, str]

#: Models with fewer weights than this run on one thread.
ONE_THREAD_BELOW = 30_000_000

_all_threads = 0


class _Idle(NamedTuple):
    key: Key
    model: PreTrainedModel


_idle: _Idle | None = None
_lent: dict[int, tuple[Key, object]] = {}


def load_model(base: LocatedBase, precision: Precision) -> PreTrainedModel:
    """The base in evaluation mode and without gradients, on the accelerator if there is one.

    Give it back with `release_model`: the next call for the same base and precision takes it instead of reading
    the weights again.  While it is lent, a second call loads a second copy.
    With `precision.quant` nf4 the linear layers of the blocks are kept in 4 bits, their scales quantized again
    (Dettmers et al. 2023, QLoRA); embeddings, norms and head stay in `precision.dtype`, which is also computed in.
    Raises BaseMissingError for an architecture that is no causal language model or for missing weights, and
    PluginMissingError for nf4 without bitsandbytes.
    """
    global _idle
    _choose_threads(base.shape.parameters)
    heap.keep_freed()
    key = (str(base.folder), base.sha256, precision.dtype, precision.quant)
    model = _idle.model if _idle is not None and _idle.key == key else None
    _idle = None  # before another base is read, so that the two are never in memory together
    if model is None:
        model = _read(base, precision)
    _lent[id(model)] = (key, _state(model))
    return model


def _choose_threads(parameters: int) -> None:
    """One thread for small models, all for large ones; what the user set with OMP_NUM_THREADS stays.

    Threads meet after every matrix product.  When each is small, that costs more than it saves as soon as anything
    else wants a core (4.5M weights, two threads: 4,000 tokens/s alone, 100 beside other jobs; one thread: 2,600 in
    both cases), and with one thread the bits do not depend on the number of cores.
    """
    import torch

    global _all_threads
    if "OMP_NUM_THREADS" in os.environ:
        return
    _all_threads = _all_threads or torch.get_num_threads()
    torch.set_num_threads(1 if parameters < ONE_THREAD_BELOW else _all_threads)


def release_model(model: PreTrainedModel) -> None:
    """Keep a model for the next `load_model`, provided its layers and weights are as they were when it was lent.

    Adapters must have been unloaded before; a model that was changed is simply let go.
    """
    global _idle
    lent = _lent.pop(id(model), None)
    if lent is None:
        return
    model.eval().requires_grad_(False)
    model.zero_grad(set_to_none=True)
    key, state = lent
    if _state(model) == state:
        _idle = _Idle(key, model)
    heap.give_back()


def forget_models() -> None:
    """Drop the kept model, so that its memory is free."""
    global _idle
    _idle = None


def device() -> torch.device:
    """The accelerator that torch sees, or the processor."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _read(base: LocatedBase, precision: Precision) -> PreTrainedModel:
    imports.prepare()
    if precision.quant == "nf4":
        imports.import_bitsandbytes()
    from transformers.utils import logging

    from .cpu_linear import multiply_in_bf16

    logging.disable_progress_bar()
    is_mixed = precision.dtype == "bf16" and device().type == "cpu"
    options: dict[str, Any] = {} if device().type == "cpu" else {"device_map": {"": str(device())}}
    if precision.quant != "none":
        options = {"device_map": {"": str(device())}, "quantization_config": _quantization(precision)}
    model, found = _model_class(base).from_pretrained(
        str(base.folder),
        dtype=torch_dtype("fp32" if is_mixed and not _is_stored_in_bf16(base) else precision.dtype),
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
        **options,
    )
    wrong = sorted({*found["missing_keys"], *(str(key) for key in found["mismatched_keys"])})
    if wrong:
        raise BaseMissingError(
            f"{base.folder} lacks weights that its config.json asks for: {', '.join(wrong[:3])}",
            "fetch or copy the model again",
        )
    model.eval().requires_grad_(False)
    if precision.quant == "nf4":
        _compute_alike(model)
    if is_mixed and not multiply_in_bf16(model):
        for weight in model.parameters():
            weight.data = weight.data.bfloat16() if weight.is_floating_point() else weight.data
    return model


def autocast(model: PreTrainedModel, dtype: str) -> torch.autocast:
    """The context of a forward pass: with 16-bit embeddings an adapter's 32-bit matrices are multiplied in 16 bits too.

    Where embeddings are float32, each layer knows what it multiplies in.
    """
    import torch

    is_narrow = model.get_input_embeddings().weight.dtype != torch.float32
    return torch.autocast(model.device.type, torch_dtype(dtype), enabled=dtype != "fp32" and is_narrow)


def _is_stored_in_bf16(base: LocatedBase) -> bool:
    return all(info.dtype == "BF16" for info in read_tensors(base.folder))


def torch_dtype(name: str) -> torch.dtype:
    """The dtype that `Precision.dtype` names."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[name]


def _quantization(precision: Precision) -> Any:
    from transformers import BitsAndBytesConfig

    if precision.quant != "nf4":
        raise RunFailedError(
            f"weights in {precision.quant} cannot be trained on", "set training.adapter: qlora or lora"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(precision.dtype),
    )


def _compute_alike(model: PreTrainedModel) -> None:
    """Have 4-bit layers compute in evaluation as in training.

    On processors with AVX512-BF16 bitsandbytes rewrites the weights on their first use in evaluation, scales rounded
    to bf16: an exam would then ask another model than was trained, and one more run of it would change the bits.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _model_class(base: LocatedBase) -> Any:
    """The class that transformers itself registers for this model type; code inside the folder is never run."""
    import transformers
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
    )

    config = read_config(base.folder)
    family = config.get("model_type")
    several = MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES if base.model.accepts else {}
    name = several.get(family) or MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(family)
    name = name or MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES.get(family)
    if name is None:
        raise BaseMissingError(
            f"transformers {transformers.__version__} has no causal language model of type "
            f"{config.get('model_type')!r}, which {base.folder / 'config.json'} asks for",
            "choose another base: `dlm bases` lists some; code that comes with a model is never run",
        )
    return getattr(transformers, name)


def _state(model: PreTrainedModel) -> object:
    """What must be equal for a model to be unchanged: its layers, and how often each weight was written to."""
    layers = [(name, type(module), len(module._forward_hooks)) for name, module in model.named_modules()]
    weights = [
        (name, weight.data_ptr(), weight.shape, weight.dtype, weight._version)
        for name, weight in model.named_parameters()
    ]
    return layers, weights
