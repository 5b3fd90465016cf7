"""Which sizes of base can be trained on a machine, by kind of adapter, before any base is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..api import AdapterSettings, BaseShape, Hardware, Precision
from .memory import memory_parts
from .plan import MEMORY_SHARE
from .precision import usual

Kind = Literal["lora", "dora", "qlora"]
KINDS: tuple[Kind, ...] = ("lora", "dora", "qlora")

#: Shapes of published models, by the size that people call them.
SHAPES = {
    "135M": BaseShape("llama", 134_515_008, 30, 576, 1536, 49152, 8192, 9, 3, 2),
    "0.5B": BaseShape("qwen2", 494_032_768, 24, 896, 4864, 151936, 32768, 14, 2, 2),
    "1B": BaseShape("llama", 1_235_814_400, 16, 2048, 8192, 128256, 131072, 32, 8, 2),
    "3B": BaseShape("llama", 3_212_749_824, 28, 3072, 8192, 128256, 131072, 24, 8, 2),
    "8B": BaseShape("llama", 8_030_261_248, 32, 4096, 14336, 128256, 131072, 32, 8, 2),
    "14B": BaseShape("qwen2", 14_770_033_664, 48, 5120, 13824, 152064, 32768, 40, 8, 2),
    "32B": BaseShape("qwen2", 32_763_876_352, 64, 5120, 27648, 152064, 32768, 40, 8, 2),
    "70B": BaseShape("llama", 70_553_706_496, 80, 8192, 28672, 128256, 131072, 64, 8, 2),
}

#: Rows this long are tried, longest first: in tokens, one at a time.
LENGTHS = (8192, 4096, 2048, 1024, 512, 256)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a size of base fits with a kind of adapter: the longest row of `LENGTHS`, in tokens, 0 when none does.

    `need` is for the longest row that fits, or else for the shortest tried, in bytes; `knob` is the setting that makes
    a base fit which does not.
    """

    size: str
    adapter: Kind
    dtype: str
    longest: int
    need: int
    knob: str = ""


def what_fits(hardware: Hardware) -> list[Fit]:
    """Every size with every kind of adapter, at rank 8, in what this machine usually trains in."""
    return [_fit(size, kind, hardware) for size in SHAPES for kind in KINDS]


def _fit(size: str, kind: Kind, hardware: Hardware) -> Fit:
    shape = SHAPES[size]
    dtype, reason = usual(hardware, shape.parameters)
    precision = Precision(dtype, "nf4" if kind == "qlora" else "none", reason)
    if longest := longest_row(shape, kind, precision, hardware):
        return Fit(size, kind, dtype, longest, need(shape, kind, precision, longest, hardware.backend))
    others: Sequence[tuple[str, Kind, Precision]] = (
        ("training.precision: bf16", kind, Precision("bf16", precision.quant, "")),
        ("training.adapter: qlora", "qlora", Precision(dtype, "nf4", "")),
    )
    helpful = [knob for knob, other, lighter in others if longest_row(shape, other, lighter, hardware)]
    least = need(shape, kind, precision, LENGTHS[-1], hardware.backend)
    return Fit(size, kind, dtype, 0, least, helpful[0] if helpful else "")


def longest_row(shape: BaseShape, kind: Kind, precision: Precision, hardware: Hardware) -> int:
    """The longest of `LENGTHS` that fits one row at a time; 0 when none does."""
    free = hardware.free_memory * MEMORY_SHARE
    return next((length for length in LENGTHS if need(shape, kind, precision, length, hardware.backend) <= free), 0)


def need(shape: BaseShape, kind: Kind, precision: Precision, length: int, backend: str) -> int:
    """Bytes for training on one row of so many tokens."""
    adapters = {"default": AdapterSettings(kind)}
    return sum(memory_parts(shape, adapters, precision, length, length, backend=backend).values())
