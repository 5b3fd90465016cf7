"""What stands in the way of an export, asked before anything is trained and again before anything is written.

What a document asks for and the format cannot hold is a problem at its place in the document; what this machine lacks,
a library or room on the disk, is raised as an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlm_core.api import ExportFailedError, ExportJob, Problem

from . import ggml
from .adapter import Adapter, read_adapter
from .lora import lora_matrices, refuse_inexpressible
from .merged import Model, check_space, read_model, wanted_quants, with_proof
from .modelfile import quote


def merged_problems(job: ExportJob) -> Iterator[Problem]:
    """Problems of the exporter `gguf`.  Raises PluginMissingError without llama.cpp, ExportFailedError for no room."""
    ggml.library()
    quants, _ = with_proof(wanted_quants(job))
    try:
        model = read_model(job, Adapter())
    except ExportFailedError as error:
        yield _base_problem(job, error)
        return
    yield from _chat(job, model)
    if _trained(job):
        try:
            model = read_model(job)
        except ExportFailedError as error:
            yield _adapter_problem(job, error)
            return
    check_space(_existing(job.out), [model.bytes(quant) for quant in quants])
    try:
        quote(job.system_prompt or "")
    except ValueError as error:
        where, message = job.where("system_prompt"), f"no Modelfile for Ollama will be written: {error}"
        hint = "the GGUF itself will be whole; say the prompt in other words to have both"
        yield Problem(where, message, hint, "warning", "GGUF0004")


def lora_problems(job: ExportJob) -> Iterator[Problem]:
    """Problems of the exporter `gguf-lora`.  Raises PluginMissingError without llama.cpp."""
    ggml.library()
    try:
        base = read_model(job, Adapter())
    except ExportFailedError as error:
        yield _base_problem(job, error)
        return
    yield from _chat(job, base)
    try:
        _refuse_adapter(job, base)
    except ExportFailedError as error:
        yield _adapter_problem(job, error)


def _refuse_adapter(job: ExportJob, base: Model) -> None:
    """Raise ExportFailedError when the adapter is, or by its settings will be, more than the format holds."""
    if _trained(job):
        adapter = read_adapter(job.adapter)
        refuse_inexpressible(adapter, base.shape)
        lora_matrices(adapter, base.shape)
    elif _settings(job).get("adapter") == "dora":
        raise ExportFailedError("a GGUF adapter cannot hold DoRA", "use the exporter gguf, which merges the adapter.")


def _base_problem(job: ExportJob, error: ExportFailedError) -> Problem:
    hint = error.hint or "choose another base; `dlm bases` lists the known ones"
    if job.base.model.accepts:
        hint = "`dlm export DOCUMENT merged` writes a folder for transformers, with a page on how to ask it"
    return Problem(job.where("base_model"), error.message, hint, code="GGUF0001")


def _adapter_problem(job: ExportJob, error: ExportFailedError) -> Problem:
    """At the kind of adapter that was exported, or at what it is put on."""
    own = f"training.adapters.{job.adapter.name}"
    keys = (f"{own}.adapter", own, "training.adapter", "training.target_modules", "base_model")
    return Problem(job.where(*keys), error.message, error.hint, code="GGUF0002")


def _chat(job: ExportJob, model: Model) -> Iterator[Problem]:
    """Template and stop token: what makes a good model babble when it is missing."""
    where, hint = job.where("base_model"), "choose the base that is made for chats, often named instruct"
    known, template = model.tokenizer.special, model.tokenizer.template
    if template is None and any(row.messages for row in job.rows):
        message = "the base has no chat template, so no runtime could ask the model what it was taught"
        yield Problem(where, message, hint, code="GGUF0003")
    if "eos" not in known:
        message = "the base's tokenizer names no end token, so the model would never stop"
        yield Problem(where, message, hint, code="GGUF0003")
    elif template and model.tokenizer.tokens[known["eos"]] not in template and "eos_token" not in template:
        message = f"the chat template never writes the end token {model.tokenizer.tokens[known['eos']]!r}"
        yield Problem(where, message, "a runtime may not know where an answer ends", "warning", "GGUF0003")


def _trained(job: ExportJob) -> bool:
    return (job.adapter / "adapter_config.json").is_file()


def _settings(job: ExportJob) -> dict[str, Any]:
    """Those of the adapter that is exported."""
    training = job.config.get("training", {})
    return dict((training.get("adapters") or {}).get(job.adapter.name, training))


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
