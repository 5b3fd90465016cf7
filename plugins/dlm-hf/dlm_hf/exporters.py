"""The exporter `merged`: base and adapter as one model folder that any transformers program loads.  Light module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from dlm_core.api import Artifact, Exporter, ExportJob, Option, Problem


class Merged(Exporter):
    """Mirrors the base's files; weights that the adapter changes are merged on the way, one tensor in memory."""

    name = "merged"
    help = "base and adapter merged into one safetensors model folder"
    options: ClassVar[Mapping[str, Option]] = {
        "check": Option("yes", "compare the merged model's logits with the adapter's", ("yes", "no"))
    }

    def preflight(self, job: ExportJob) -> Iterable[Problem]:
        from .shape import read_tensors

        foreign = sorted({info.dtype for info in read_tensors(job.base.folder)} - {"F64", "F32", "F16", "BF16"})
        if foreign:
            yield Problem(
                job.where("base_model"),
                f"the base's weights are stored as {', '.join(foreign)}, which nothing can be merged into",
                "choose the same base in bf16, or export the adapter folder",
                code="HF0005",
            )

    def export(self, job: ExportJob) -> Iterable[Artifact]:
        from .merged_folder import write_merged

        return write_merged(job)
