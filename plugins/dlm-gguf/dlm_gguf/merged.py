"""The exporter `gguf`: base and adapter merged into one file for each quantization, a Modelfile and a manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf

from dlm_core.api import Artifact, ExportFailedError, ExportJob, UsageError
from dlm_core.files import write_file

from . import families, parity, peer, shown, tokenizer, towers
from .adapter import EMBEDDING, HEAD, Adapter, read_adapter
from .modelfile import modelfile
from .quants import QUANTS, Quant, tensor_type
from .sources import Constant, Source, merged_sources
from .weights import read_folder, with_mean_rows
from .write import Target, tensor_bytes, write_all


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Everything about a merged model that is known before a weight is written."""

    shape: families.Shape
    tokenizer: tokenizer.Tokenizer
    sources: Sequence[Source | Constant]
    tower: towers.Model | None = None

    @property
    def tied(self) -> bool:
        return all(source.name != "output.weight" for source in self.sources)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {source.name: source.shape for source in self.sources}

    def types(self, quant: Quant) -> dict[str, tuple[gguf.GGMLQuantizationType, bool]]:
        """The type of each tensor in a quantization, and whether it is a fallback."""
        return {
            name: tensor_type(quant, name, shape, self.shape.layers, tied=self.tied)
            for name, shape in self.shapes.items()
        }

    def bytes(self, quant: Quant) -> int:
        """The size of the file's tensors."""
        return sum(tensor_bytes(kind, self.shapes[name]) for name, (kind, _) in self.types(quant).items())


def read_model(job: ExportJob, adapter: Adapter | None = None) -> Model:
    """Read base, adapter (that of the job by default) and tokenizer.  Raises ExportFailedError."""
    shape, base = families.read_shape(job.base.folder), read_folder(job.base.folder)
    adapter = read_adapter(job.adapter) if adapter is None else adapter
    tower = towers.read_tower(job.base.folder, base, adapter)
    if tower is not None:
        base, adapter = tower.language_tensors(base), tower.language_adapter(adapter)
    embedding = f"{EMBEDDING}.weight"
    rows = max((found[embedding].rows for found in (base, adapter.replaced) if embedding in found), default=0)
    tokens = tokenizer.read_tokenizer(job.base.folder, job.adapter, shape, rows)
    count = len(tokens.tokens)
    base |= {name: with_mean_rows(base[name], count) for name in (embedding, f"{HEAD}.weight") if name in base}
    sources = merged_sources(base, adapter, shape)
    for source in sources:
        if source.name in ("token_embd.weight", "output.weight") and source.shape[0] != count:
            raise ExportFailedError(
                f"the tokenizer has {count} tokens, {source.name} only {source.shape[0]} rows",
                "Resize the base's embeddings to the tokenizer and train again.",
            )
    return Model(shape, tokens, sources, tower)


def wanted_quants(job: ExportJob) -> list[Quant]:
    """The quantizations of `-o quant=A,B`, or the document's own.  Raises UsageError for an unknown one."""
    given = job.options.get("quant") or job.config.get("export", {}).get("default_quant") or "Q4_K_M"
    names = list(dict.fromkeys(name.strip().upper() for name in given.split(",") if name.strip()))
    unknown = [name for name in names if name not in QUANTS]
    if unknown or not names:
        raise UsageError(
            f"no such quantization: {', '.join(unknown) or 'none given'}", f"Choose from {', '.join(QUANTS)}."
        )
    return [QUANTS[name] for name in names]


def with_proof(quants: Sequence[Quant]) -> tuple[list[Quant], Quant]:
    """The files to write and the one among them that proves the mapping: F32 or F16, written for that if need be."""
    for name in ("F32", "F16"):
        if QUANTS[name] in quants:
            return list(quants), QUANTS[name]
    return [*quants, QUANTS["F16"]], QUANTS["F16"]


def export(job: ExportJob) -> list[Artifact]:
    """Write, check and keep one file for each wanted quantization.  Raises ExportFailedError and leaves nothing."""
    quants = wanted_quants(job)
    written, proof = with_proof(quants)
    model = read_model(job)
    job.out.mkdir(parents=True, exist_ok=True)
    check_space(job.out, [*(model.bytes(quant) for quant in written), *([model.tower.bytes] if model.tower else [])])
    with ExitStack() as stack:
        targets = {quant: stack.enter_context(merged_target(job, model, quant)) for quant in written}
        write_checked(model.sources, list(targets.values()))
        job.control.emit("export_progress", exporter="gguf", stage="checking", files=len(targets))
        reference = parity.ask_engine(job, model.tokenizer)
        tower = stack.enter_context(model.tower.target(job.out / f"mmproj-{job.name}.gguf")) if model.tower else None
        files = shown.ask_engine(job) if model.tower else None
        if model.tower and tower:
            write_checked(model.tower.sources, [tower])
        details = {}
        for quant in dict.fromkeys([proof, *written]):
            details[quant] = {
                **_describe(model, quant, targets[quant]),
                "encoding_error": parity.check_encoding(targets[quant], targets[proof], model.shapes),
                "parity": _ask(quant, targets[quant], reference, model, chats=quant is proof),
            }
            if tower and files:
                details[quant]["shown"] = shown.compare(files, targets[quant].part, tower.part, model.shape.context)
            if quant is not proof:
                details[quant]["proof"] = details[proof]["parity"]
            details[quant]["summary"] = _summary(details[quant])
        for target in [*(targets[quant] for quant in quants), *([tower] if tower else [])]:
            target.finish()
    found = [Artifact(targets[q].path, targets[q].sha256, details[q]) for q in quants]
    if tower:
        found.append(Artifact(tower.path, tower.sha256, _describe_tower(tower, tried=files is not None)))
    return [*found, *_beside(job, model, found)]


def _summary(details: Mapping[str, Any]) -> str:
    """What a person wants to know of a file, in a few words."""
    parity = details["parity"]
    equal = parity["answers_equal"]
    same = f"{parity['top1']} next tokens" if equal == "0/0" else f"{equal} answers"
    files = f", {details['shown']['equal']} about files" if "shown" in details else ""
    return f"{details['bits_per_weight']:.1f} bits a weight, {same}{files} the same in llama.cpp"


def _describe_tower(tower: Target, *, tried: bool) -> dict[str, Any]:
    count = len(tower.sizes)
    what = f"what sees in front of it: {count} tensors; llama.cpp takes it with --mmproj"
    what += "" if tried else "; not tried, as the document has no file to show it"
    return {"tensors": count, "bytes": sum(size for _, size in tower.sizes.values()), "summary": what}


def merged_target(job: ExportJob, model: Model, quant: Quant) -> Target:
    """The file of a quantization, about to be written."""
    return Target(
        path=job.out / f"{job.name}.{quant.name}.gguf",
        types={name: kind for name, (kind, _) in model.types(quant).items()},
        metadata=metadata(job, model, quant),
        arch=model.shape.family.arch,
    )


def metadata(job: ExportJob, model: Model, quant: Quant) -> Callable[[gguf.GGUFWriter], None]:
    """A function that writes every key of the file."""

    def write(writer: gguf.GGUFWriter) -> None:
        writer.add_type("model")
        writer.add_name(job.name)
        writer.add_finetune(job.dlm_id)
        writer.add_version(str(job.version))
        writer.add_size_label(gguf.size_label(sum(map(_count, model.sources)), 0, 0, 0))
        writer.add_file_type(quant.file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        families.add_metadata(writer, model.shape, len(model.tokenizer.tokens))
        tokenizer.add_metadata(writer, model.tokenizer)

    return write


def write_checked(sources: Sequence[Source | Constant], targets: Sequence[Target]) -> None:
    """Write every target, turning what can go wrong into an ExportFailedError."""
    try:
        write_all(sources, targets)
    except OverflowError as error:
        raise ExportFailedError(str(error), "Give -o quant=F32 or add F32 to the list.") from error
    except OSError as error:
        raise ExportFailedError(f"writing failed: {error}") from error


def check_space(folder: Path, sizes: Sequence[int]) -> None:
    """Raise ExportFailedError unless the disk has room for files of these sizes and their vocabularies."""
    needed, free = sum(sizes) + (16 << 20) * len(sizes), shutil.disk_usage(folder).free
    if needed > free:
        raise ExportFailedError(
            f"the export needs {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left",
            "A quantized file is checked beside an F16 one, which is removed afterwards.",
        )


def write_durably(path: Path, text: str) -> str:
    """Write a small file whole or not at all; its SHA-256."""
    write_file(path, text.encode())
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(job: ExportJob, artifacts: Sequence[Artifact], path: Path) -> Artifact:
    """Write what the files are and how they were checked beside them, as JSON."""
    content = {
        "exporter": path.name.removesuffix(".json").rpartition(".")[2],
        "name": job.name,
        "dlm_id": job.dlm_id,
        "version": job.version,
        "base": {"key": job.base.model.key, "sha256": job.base.sha256},
        "files": [{"file": a.path.name, "sha256": a.sha256, **a.details} for a in artifacts],
    }
    return Artifact(path, write_durably(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n"))


def _ask(quant: Quant, target: Target, reference: parity.Reference, model: Model, *, chats: bool) -> Mapping[str, Any]:
    questions = reference.questions if chats else replace(reference.questions, chats=())
    return parity.compare(quant.name, reference, peer.ask(target.part, questions), model.tokenizer)


def _describe(model: Model, quant: Quant, target: Target) -> dict[str, Any]:
    fallbacks = [name for name, (_, is_fallback) in model.types(quant).items() if is_fallback]
    return {
        "quant": quant.name,
        "bytes": target.part.stat().st_size,
        "bits_per_weight": round(target.bits_per_weight, 3),
        "fallbacks": fallbacks,
    }


def _beside(job: ExportJob, model: Model, files: Sequence[Artifact]) -> list[Artifact]:
    extra = []
    try:
        path = job.out / "Modelfile"
        extra.append(Artifact(path, write_durably(path, _modelfile(job, model, [file.path.name for file in files]))))
    except ValueError as error:
        job.control.emit("export_progress", exporter="gguf", stage="skipped", file="Modelfile", reason=str(error))
    return [*extra, manifest(job, files, job.out / f"{job.name}.gguf.json")]


def _modelfile(job: ExportJob, model: Model, files: Sequence[str]) -> str:
    settings = job.config.get("export", {})
    known = model.tokenizer.special
    stops = [
        known["eos"],
        known.get("eot", known["eos"]),
        *(i for i in model.shape.eos if i < len(model.tokenizer.tokens)),
    ]
    return modelfile(
        files[0],
        system=job.system_prompt,
        context=model.shape.context,
        stops=[model.tokenizer.tokens[index] for index in dict.fromkeys(stops)],
        temperature=settings.get("default_temperature"),
        top_p=settings.get("default_top_p"),
        mmproj=files[-1] if model.tower else None,
    )


def _count(source: Source | Constant) -> int:
    rows, columns = (source.shape[0], source.shape[1]) if len(source.shape) > 1 else (1, source.shape[0])
    return rows * columns
