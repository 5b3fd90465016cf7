"""What stands in the way of an export, asked before anything is trained and again before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlm_core.api import DlmError, ExportJob, Problem, Span

from . import ggml
from .adapter import Adapter, read_adapter
from .lora import lora_matrices, refuse_inexpressible
from .merged import Model, check_space, read_model, wanted_quants, with_proof
from .modelfile import quote

_TOP = Span(1)


def merged_problems(job: ExportJob) -> list[Problem]:
    """Problems of the exporter `gguf`."""
    return [*_guard(lambda: _library()), *_guard(lambda: _merged(job))]


def lora_problems(job: ExportJob) -> list[Problem]:
    """Problems of the exporter `gguf-lora`."""
    return [*_guard(lambda: _library()), *_guard(lambda: _lora(job))]


def _guard(check: Callable[[], Iterator[Problem]]) -> Iterator[Problem]:
    """The problems of a check, the first error that ends it among them."""
    try:
        yield from check()
    except DlmError as error:
        yield Problem(_TOP, error.message, error.hint)


def _library() -> Iterator[Problem]:
    ggml.library()
    yield from ()


def _merged(job: ExportJob) -> Iterator[Problem]:
    quants, _ = with_proof(wanted_quants(job))
    model = read_model(job, None if _trained(job) else Adapter())
    yield from _chat(job, model)
    check_space(_existing(job.out), [model.bytes(quant) for quant in quants])
    try:
        quote(job.system_prompt or "")
    except ValueError as error:
        yield Problem(_TOP, f"no Modelfile for Ollama will be written: {error}", severity="warning")


def _lora(job: ExportJob) -> Iterator[Problem]:
    base = read_model(job, Adapter())
    yield from _chat(job, base)
    if _trained(job):
        adapter = read_adapter(job.adapter)
        refuse_inexpressible(adapter, base.shape)
        lora_matrices(adapter, base.shape)
    elif "dora" in _kinds(job.config.get("training", {})):
        yield Problem(_TOP, "a GGUF adapter cannot hold DoRA", "Use the exporter gguf, which merges the adapter.")


def _chat(job: ExportJob, model: Model) -> Iterator[Problem]:
    """Template and stop token: what makes a good model babble when it is missing."""
    known, template = model.tokenizer.special, model.tokenizer.template
    if template is None and any(row.messages for row in job.rows):
        yield Problem(_TOP, "the base has no chat template, so no runtime could ask the model what it was taught")
    if "eos" not in known:
        yield Problem(_TOP, "the base's tokenizer names no end token, so the model would never stop")
    elif template and model.tokenizer.tokens[known["eos"]] not in template and "eos_token" not in template:
        yield Problem(
            _TOP,
            f"the chat template never writes the end token {model.tokenizer.tokens[known['eos']]!r}",
            "A runtime may not know where an answer ends.",
            severity="warning",
        )


def _trained(job: ExportJob) -> bool:
    return (job.adapter / "adapter_config.json").is_file()


def _kinds(training: Mapping[str, Any]) -> set[str]:
    named = (training.get("adapters") or {}).values()
    return {str(settings.get("adapter")) for settings in (training, *named)}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
