"""What is said of a base that this machine cannot hold, with the setting that would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..api import BaseModel, Document, DocumentError, LocatedBase, Precision, Problem
from .memory import BYTES, QUANT_BITS


def base_weights(base: BaseModel, precision: Precision) -> float:
    """Bytes of all weights as they are held, by the registry's count."""
    bits = BYTES[precision.dtype] * 8 if precision.quant == "none" else QUANT_BITS[precision.quant]
    return base.parameters * bits / 8


def lighter(precision: Precision) -> list[tuple[str, Precision]]:
    """What needs less memory than this precision: the setting that asks for it, and what it gives."""
    found = []
    if precision.dtype == "fp32":
        found.append(("training.precision: bf16", replace(precision, dtype="bf16")))
    if precision.quant == "none":
        found.append(("training.adapter: qlora", replace(precision, quant="nf4")))
    if len(found) == 2:
        both = "training.adapter: qlora and training.precision: bf16"
        found.append((both, replace(precision, dtype="bf16", quant="nf4")))
    return found


def too_big(
    doc: Document, parts: Mapping[str, int], free: int, base: LocatedBase, settings: Sequence[str]
) -> DocumentError:
    """`settings` are those with which it would fit."""
    gib = 2**30
    detail = ", ".join(f"{name} {size / gib:.1f}" for name, size in parts.items())
    long = parts["activations"] + parts["logits"] > parts["weights"]
    knob = "a smaller base (`dlm bases`)"
    if long:
        knob = "a lower training.sequence_len"
    elif settings:
        knob = settings[0]
    return does_not_fit(
        doc,
        "training.sequence_len" if long else "base_model",
        f"{base.model.key} needs {sum(parts.values()) / gib:.1f} GiB one row at a time ({detail}); "
        f"{free / gib:.1f} GiB may be used here",
        f"what helps most: {knob}",
    )


def does_not_fit(doc: Document, key: str, message: str, hint: str) -> DocumentError:
    return DocumentError(doc.path, [Problem(doc.where(key), message, hint, code="DLM0406")])
