"""Entry point of the plugin: two exporters and one frontmatter key."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlm_core import hookimpl
from dlm_core.api import ConfigBlock, Exporter, Option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pydantic

    from dlm_core.api import Artifact, Explanation, ExportJob, Problem

QUANTS = ("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M")


class ExportBlock(ConfigBlock):
    """`export.default_quant`."""

    path = "export"

    def model(self) -> type[pydantic.BaseModel]:
        from .config import GgufExport

        return GgufExport


class Gguf(Exporter):
    """Base and adapter merged into one GGUF for each quantization, and an Ollama Modelfile."""

    name = "gguf"
    help = "the merged model as one GGUF file for llama.cpp, Ollama and LM Studio"
    in_run = True
    options: ClassVar[Mapping[str, Option]] = {
        "quant": Option("", "one or more, with commas; the document's export.default_quant if empty", QUANTS)
    }

    def preflight(self, job: ExportJob) -> Iterable[Problem]:
        from .preflight import merged_problems

        return merged_problems(job)

    def export(self, job: ExportJob) -> Iterable[Artifact]:
        from .merged import export

        return export(job)


class GgufLora(Exporter):
    """The adapter alone, to be put over a GGUF of the same base."""

    name = "gguf-lora"
    help = "the LoRA alone as a GGUF adapter, to be loaded over a GGUF of the base"

    def preflight(self, job: ExportJob) -> Iterable[Problem]:
        from .preflight import lora_problems

        return lora_problems(job)

    def export(self, job: ExportJob) -> Iterable[Artifact]:
        from .lora import export

        return export(job)


@hookimpl
def dlm_config_blocks() -> list[ConfigBlock]:
    return [ExportBlock()]


@hookimpl
def dlm_exporters() -> list[Exporter]:
    return [Gguf(), GgufLora()]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
