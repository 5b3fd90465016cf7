"""How much memory and time a run takes, from the shape of the base.  Sizes are in bytes, times in seconds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..api import AdapterSettings, BaseShape, Hardware, Precision

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}

#: Bits a weight of the linear layers: nf4 with a scale of 8 bits for 64 weights, and one of 32 for 256 scales.
QUANT_BITS = {"nf4": 4 + 8 / 64 + 32 / (64 * 256), "int8": 8.5}

#: Bytes of optimizer state a trained weight.  Moments of 8 bits carry a scale of 32 for 256; GaLore keeps half an
#: adapter's rank, and the projected weights themselves.
OPTIMIZER_BYTES = {
    "adamw_torch": 8.0,
    "adamw_bnb_8bit": 2 + 2 * 4 / 256,
    "paged_adamw_8bit": 2 + 2 * 4 / 256,
    "galore_adamw": 4.0 + 2,
    "galore_adamw_8bit": 1.0 + 2,
}

#: Floating-point operations a second that a frozen base with LoRA reaches in practice, for each core or device;
#: on a core measured as processor time of models of 4 and 60 million weights (benchmarks/train_speed.py).
SUSTAINED_FLOPS = {"cpu": 4e10, "mps": 4e12, "cuda": 1.5e14, "rocm": 8e13}
BF16_CORE_FLOPS = 7e10

#: Models of fewer weights run on one thread: more of them wait for each other longer than they compute.
ONE_THREAD_BELOW = 30_000_000

#: Python, libraries and the allocator before a weight is loaded; and what starting them takes.
RUNTIME_BYTES = 400 << 20
#: Kernels that are compiled for products in bf16, and their copies of weights.
KERNEL_BYTES = 80 << 20
#: bitsandbytes, where the base or the optimizer's state is quantized.
QUANTIZED_RUNTIME_BYTES = 110 << 20
STARTUP_SECONDS = 6.0
STEP_SECONDS = 0.02

#: How often DoRA keeps what leaves an adapted layer besides: the base's share, the adapter's, and their product with
#: the magnitudes (measured: 2.3 at a hidden size of 576).
DORA_OUTPUTS = 2.3

#: Rows of logits that training holds at a time.
LOGIT_ROWS = 256


def adapter_parameters(shape: BaseShape, settings: AdapterSettings) -> int:
    """LoRA weights on all linear layers of the blocks: r·(in + out) for each (Hu et al. 2021, §4.1)."""
    hidden, inner = shape.hidden, shape.intermediate
    kv = hidden * shape.kv_heads // max(shape.heads, 1)
    sums = {
        "q_proj": 2 * hidden,
        "k_proj": hidden + kv,
        "v_proj": hidden + kv,
        "o_proj": 2 * hidden,
        "gate_proj": hidden + inner,
        "up_proj": hidden + inner,
        "down_proj": hidden + inner,
    }
    chosen = settings.target_modules
    names = sums if chosen == "auto" else [name for name in chosen if name in sums]
    return settings.lora_r * shape.layers * sum(sums[name] for name in names)


def _outputs(shape: BaseShape) -> int:
    """Elements a token that leave the linear layers of a block."""
    kv = shape.hidden * shape.kv_heads // max(shape.heads, 1)
    return 3 * shape.hidden + 2 * kv + 2 * shape.intermediate


def linear_parameters(shape: BaseShape) -> int:
    """Weights of the linear layers in the blocks: those that are quantized."""
    kv = shape.hidden * shape.kv_heads // max(shape.heads, 1)
    block = 2 * shape.hidden * shape.hidden + 2 * shape.hidden * kv + 3 * shape.hidden * shape.intermediate
    return min(shape.parameters, shape.layers * block)


def weight_bytes(shape: BaseShape, precision: Precision, backend: str) -> int:
    """The base's weights in memory: embeddings, norms and head are never quantized.

    On a processor bf16 is that of linear layers: embeddings and norms are in float32, and the head is in bf16 besides
    where it shares the embeddings' weight.
    """
    size = BYTES[precision.dtype]
    linear = linear_parameters(shape)
    others = (shape.parameters - linear) * size
    if is_mixed(precision, backend):
        head = shape.vocabulary * shape.hidden
        is_tied = shape.parameters - linear < 2 * head
        others = (shape.parameters - linear) * 4 + (2 if is_tied else -2) * head
    bits = 8 * size if precision.quant == "none" else QUANT_BITS[precision.quant]
    return int(linear * bits / 8) + others


def is_mixed(precision: Precision, backend: str) -> bool:
    """Whether only products are in 16 bits: what lies between them is float32."""
    return backend == "cpu" and precision.dtype == "bf16"


def memory_parts(
    shape: BaseShape,
    adapters: Mapping[str, AdapterSettings],
    precision: Precision,
    tokens: int,
    labelled: int,
    optimizer: str = "adamw_torch",
    *,
    backend: str,
) -> dict[str, int]:
    """Peak memory by part for a forward and backward pass over `tokens` positions, `labelled` of them with a label.

    Labelled positions are projected LOGIT_ROWS at a time; a head that is more than a projection takes all positions.
    """
    trained = max((adapter_parameters(shape, settings) for settings in adapters.values()), default=0)
    logit_rows = min(labelled, LOGIT_ROWS) if shape.plain_head else tokens
    activations = tokens * shape.layers * _kept(shape, [*adapters.values()], precision, backend)
    quantized = precision.quant != "none" or optimizer != "adamw_torch"
    return {
        "runtime": RUNTIME_BYTES
        + (QUANTIZED_RUNTIME_BYTES if quantized else 0)
        + (KERNEL_BYTES if is_mixed(precision, backend) else 0),
        "weights": weight_bytes(shape, precision, backend),
        "adapter and optimizer": int(trained * (8 + OPTIMIZER_BYTES[optimizer])),  # weight and gradient of 4 bytes each
        "activations": int(activations),
        "logits": logit_rows * shape.vocabulary * 4 * 3,  # logits, log-probabilities and their gradient
    }


def _kept(shape: BaseShape, adapters: Sequence[AdapterSettings], precision: Precision, backend: str) -> float:
    """Bytes a token that one block of a Llama keeps for the backward pass, saved tensors counted.

    On a processor LoRA keeps what goes into a layer, in bf16 a copy of it, and a mask of one byte where there is
    dropout; what lies between layers is float32.  Elsewhere, and with DoRA or 4-bit layers, PEFT's operations keep
    about 18·hidden + 7·intermediate elements (1.25 MB a token of a 30-layer, hidden-576 model in 2 bytes), and dropout
    another copy of what goes in.
    """
    hidden, inner = shape.hidden, shape.intermediate
    entering = 6 * hidden + inner
    dropped = any(settings.lora_dropout for settings in adapters)
    has_dora = any(settings.adapter == "dora" for settings in adapters)
    if backend == "cpu" and precision.quant == "none" and not has_dora:
        if precision.dtype == "bf16":
            return 4 * (8 * hidden + 3 * inner) + entering * (2 + dropped)
        return 4 * (11 * hidden + 4 * inner) + 5 * entering * dropped
    size = 4 if backend == "cpu" else BYTES[precision.dtype]
    kept: float = (18 * hidden + 7 * inner) * size + entering * (size + 1) * dropped
    if size == 2:
        kept += 16 * hidden  # both norms of a block compute in float32 and keep their input and output so
    if has_dora:
        kept += DORA_OUTPUTS * _outputs(shape) * 4  # computed in float32 whatever the base is in
    return kept


def _threads(shape: BaseShape, hardware: Hardware) -> int:
    """How many threads training takes: as many as the user says, otherwise one for a small model and all for others."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said):
        return min(int(said), hardware.cores)
    return 1 if shape.parameters < ONE_THREAD_BELOW else hardware.cores


def step_seconds(shape: BaseShape, hardware: Hardware, precision: Precision, tokens: int, steps: int) -> float:
    """Time of the optimizer steps: a frozen base costs 2 operations a weight and token forward and 2 backward."""
    return steps * STEP_SECONDS + 2 * pass_seconds(shape, hardware, precision, tokens)


def pass_seconds(shape: BaseShape, hardware: Hardware, precision: Precision, tokens: int) -> float:
    """Time to look at so many tokens without learning from them: 2 operations a weight and token."""
    rate = SUSTAINED_FLOPS[hardware.backend]
    if is_mixed(precision, hardware.backend) and hardware.bf16:
        rate = BF16_CORE_FLOPS
    return 2 * shape.parameters * tokens / rate / (_threads(shape, hardware) if hardware.backend == "cpu" else 1)
