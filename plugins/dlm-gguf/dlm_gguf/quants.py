"""Which type each tensor gets: llama.cpp's mixes and its fallbacks for rows that a block does not divide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

T = GGMLQuantizationType


@dataclass(frozen=True, slots=True)
class Quant:
    """`base` is the type of most matrices; with `better`, the tensors that matter most get that one."""

    name: str
    file_type: LlamaFileType
    base: GGMLQuantizationType
    better: GGMLQuantizationType | None = None


QUANTS: Mapping[str, Quant] = {
    quant.name: quant
    for quant in (
        Quant("F32", LlamaFileType.ALL_F32, T.F32),
        Quant("F16", LlamaFileType.MOSTLY_F16, T.F16),
        Quant("BF16", LlamaFileType.MOSTLY_BF16, T.BF16),
        Quant("Q8_0", LlamaFileType.MOSTLY_Q8_0, T.Q8_0),
        Quant("Q6_K", LlamaFileType.MOSTLY_Q6_K, T.Q6_K),
        Quant("Q5_K_M", LlamaFileType.MOSTLY_Q5_K_M, T.Q5_K, T.Q6_K),
        Quant("Q4_K_M", LlamaFileType.MOSTLY_Q4_K_M, T.Q4_K, T.Q6_K),
    )
}

_FALLBACK = {T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0}


def tensor_type(
    quant: Quant, name: str, shape: tuple[int, ...], layers: int, *, tied: bool
) -> tuple[GGMLQuantizationType, bool]:
    """The type of a tensor and whether it is a fallback; `name` as in the GGUF, `shape` with the row length last.

    Vectors and norms stay F32.  The rules are those of llama-quant.cpp for dense models.
    """
    if len(shape) == 1 or name.endswith("_norm.weight"):
        return T.F32, False
    wanted = quant.better if quant.better and _matters(name, layers, tied) else quant.base
    return _fitting(wanted, shape[-1])


def bits_per_weight(sizes: Mapping[str, tuple[int, int]]) -> float:
    """Effective bits of one weight, from (weights, bytes) of every tensor."""
    weights = sum(count for count, _ in sizes.values())
    return 8 * sum(size for _, size in sizes.values()) / weights


def _matters(name: str, layers: int, tied: bool) -> bool:
    if name == "output.weight" or (tied and name == "token_embd.weight"):
        return True
    if not name.endswith((".attn_v.weight", ".ffn_down.weight")):
        return False
    layer, eighth = int(name.split(".")[1]), layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _fitting(wanted: GGMLQuantizationType, columns: int) -> tuple[GGMLQuantizationType, bool]:
    if columns % GGML_QUANT_SIZES[wanted][0] == 0:
        return wanted, False
    second = _FALLBACK.get(wanted, T.F16)
    if columns % GGML_QUANT_SIZES[second][0] == 0:
        return second, True
    return T.F16, True
