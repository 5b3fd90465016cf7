"""The exporter `gguf-lora`: the adapter alone, scaled so that llama.cpp applies what PEFT applies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import gguf
import numpy as np

from dlm_core.api import Artifact, ExportFailedError, ExportJob

from . import parity, peer
from .adapter import EMBEDDING, HEAD, Adapter, read_adapter
from .families import Shape, rotary_order, tensor_names
from .merged import Model, check_space, manifest, merged_target, read_model, write_checked
from .quants import QUANTS
from .sources import Constant
from .write import Target

_HINT = "use the exporter gguf, which merges the adapter into the base."


@dataclass(frozen=True, slots=True, eq=False)
class Matrix(Constant):
    """A LoRA matrix, (rows, columns), small enough to be written at once."""

    def block(self, first: int, last: int, room: object) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.ascontiguousarray(self.values[first:last])


def refuse_inexpressible(adapter: Adapter, shape: Shape) -> None:
    """Raise ExportFailedError for an adapter that is more than B·A on some weights, which is all the format holds."""
    reasons = []
    if adapter.config.get("use_dora"):
        reasons.append("DoRA")
    untouched_bases = {f"{module}.weight" for module in (EMBEDDING, HEAD) if module in adapter.deltas}
    reasons += [f"a whole new {name}" for name in adapter.replaced if name not in untouched_bases]
    reasons += [f"new token rows of {name}" for name in adapter.tokens]
    reasons += [f"a bias of {name}" for name, delta in adapter.deltas.items() if delta.bias is not None]
    if shape.tied:
        reasons += [f"a LoRA on the tied {name}" for name in (EMBEDDING, HEAD) if name in adapter.deltas]
    if reasons:
        shown = ", ".join(reasons[:3]) + (" …" if len(reasons) > 3 else "")
        raise ExportFailedError(f"a GGUF adapter cannot hold {shown}", _HINT)


def lora_matrices(adapter: Adapter, shape: Shape) -> list[Matrix]:
    """`lora_a` (r, in) and `lora_b` (out, r) of every target, B multiplied by PEFT's scale.

    llama.cpp multiplies by alpha/r, where r is that tensor's own; `adapter.lora.alpha` 0 makes that 1.  So the scale
    is in B, and rsLoRA and per-module alphas need nothing else.
    """
    names, found = tensor_names(shape), []
    for module, delta in adapter.deltas.items():
        target = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if target is None:
            raise ExportFailedError(f"llama.cpp has no place for a LoRA on {module}", _HINT)
        a, b = delta.a, delta.b * np.float32(delta.scale)
        if delta.embedding:
            a = a.T
        if shape.family.interleaved and module.endswith(("self_attn.q_proj", "self_attn.k_proj")):
            heads = shape.heads if module.endswith("q_proj") else shape.kv_heads
            b = b[rotary_order(len(b), heads)]
        found += [Matrix(f"{target}.lora_a", np.ascontiguousarray(a)), Matrix(f"{target}.lora_b", b)]
    return found


def lora_target(job: ExportJob, shape: Shape, matrices: list[Matrix]) -> Target:
    """The adapter file, about to be written; its matrices stay F32."""
    return Target(
        path=job.out / f"{job.name}.lora.gguf",
        types={matrix.name: gguf.GGMLQuantizationType.F32 for matrix in matrices},
        metadata=_metadata(job),
        arch=shape.family.arch,
    )


def export(job: ExportJob) -> list[Artifact]:
    """Write the adapter and try it over an F16 file of its base, which is removed.  Raises ExportFailedError."""
    adapter = read_adapter(job.adapter)
    base = read_model(job, Adapter())
    refuse_inexpressible(adapter, base.shape)
    matrices = lora_matrices(adapter, base.shape)
    job.out.mkdir(parents=True, exist_ok=True)
    check_space(job.out, [base.bytes(QUANTS["F16"])])
    with ExitStack() as stack:
        under = stack.enter_context(merged_target(job, base, QUANTS["F16"]))
        target = stack.enter_context(lora_target(job, base.shape, matrices))
        write_checked(matrices, [target])
        write_checked(base.sources, [under])
        details = {
            "matrices": len(matrices),
            "bytes": target.part.stat().st_size,
            "parity": check(job, base, under, target),
        }
        target.finish()
    artifact = Artifact(target.path, target.sha256, details)
    return [artifact, manifest(job, [artifact], job.out / f"{job.name}.gguf-lora.json")]


def check(job: ExportJob, base: Model, under: Target, target: Target) -> dict[str, object]:
    """Hold base plus adapter in llama.cpp against the engine.  Raises ExportFailedError."""
    reference = parity.ask_engine(job, base.tokenizer)
    replies = peer.ask(under.part, reference.questions, target.part)
    return parity.compare("F16", reference, replies, base.tokenizer)


def _metadata(job: ExportJob) -> Callable[[gguf.GGUFWriter], None]:
    def write(writer: gguf.GGUFWriter) -> None:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", 0.0)
        writer.add_name(job.name)
        writer.add_version(str(job.version))

    return write
