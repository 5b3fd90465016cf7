"""Writing a merged model folder in constant memory, and holding it against the adapter it was made from."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dlm_core import files
from dlm_core.api import Artifact, ExportFailedError, ExportJob, LocatedBase, Precision, Row
from dlm_core.clock import without_clock

from . import template
from .launch import launch_page
from .merge import Delta, read_delta
from .shape import TensorInfo, read_header, read_shape, weight_files

if TYPE_CHECKING:
    import numpy

_COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "model.safetensors.index.json",
)
_LICENCES = ("LICENSE*", "NOTICE*", "USE_POLICY*")
_BLOCK = 2**22  # bytes copied at a time
_PROBE = "The quick brown fox asks: what is learned here, and what was known before?"


def write_merged(job: ExportJob) -> list[Artifact]:
    """Write the folder into `job.out`, check it, and say what was written.

    Raises ExportFailedError, with nothing left, when its logits are not those of base and adapter or the disk is full.
    """
    delta = read_delta(job.base.folder, job.adapter)
    job.out.mkdir(parents=True, exist_ok=True)
    written = []
    try:
        for file in weight_files(job.base.folder):
            write_shard(file, delta, job.out / file.name)
            written.append(job.out / file.name)
        written += _copy_rest(job.base.folder, job.out)
        written += _adapt_rest(job.out, delta)
        if page := launch_page(job):
            written.append(job.out / "LAUNCH.md")
            written[-1].write_text(page, encoding="utf-8")
        details = _check(job) if job.options.get("check", "yes") == "yes" else {}
    except BaseException as error:
        for file in [*written, *job.out.glob("*.part")]:
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ExportFailedError(f"writing failed: {error}", "make room on that disk and export again") from error
        raise
    return [Artifact(file, _sha256(file), details if file.suffix == ".safetensors" else {}) for file in written]


def write_shard(source: Path, delta: Delta, target: Path) -> None:
    """Copy one safetensors file and merge on the way; names, dtypes and order stay, and all shapes but embeddings'."""
    part = target.with_name(target.name + ".part")
    with source.open("rb") as before, part.open("wb") as after:
        tensors = sorted(read_header(source), key=lambda info: info.offset)
        after.write(_header(source, tensors, delta))
        for info in tensors:
            _write_tensor(before, after, info, delta)
    files.sync(part)
    files.rename(part, target)


def _header(source: Path, tensors: Sequence[TensorInfo], delta: Delta) -> bytes:
    """The file's length and header, byte for byte, or with the new places of tensors when one grew."""
    with source.open("rb") as stream:
        head = stream.read(8)
        head += stream.read(int.from_bytes(head, "little"))
    if not any(info.name in delta.rows for info in tensors):
        return head
    entries, end = json.loads(head[8:]), 0
    for info in tensors:
        size = info.size // max(1, prod(info.shape)) * prod(delta.shape(info))
        entries[info.name] |= {"shape": list(delta.shape(info)), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(entries, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write_tensor(before: BinaryIO, after: BinaryIO, info: TensorInfo, delta: Delta) -> None:
    before.seek(info.offset)
    if not delta.changes(info.name):
        _copy(before, after, info.size)
        return
    import torch

    tensor = delta.apply(info)
    if tuple(tensor.shape) != delta.shape(info) or not bool(torch.isfinite(tensor).all()):
        raise ExportFailedError(f"merging {info.name} gave another shape or values that are not finite")
    after.write(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())


def _copy(before: BinaryIO, after: BinaryIO, size: int) -> None:
    while size > 0:
        block = before.read(min(size, _BLOCK))
        if not block:
            raise ExportFailedError("the base's weights end too early", "fetch or copy the model again")
        after.write(block)
        size -= len(block)


def _copy_rest(folder: Path, out: Path) -> list[Path]:
    files = [folder / name for name in _COPIED] + [path for pattern in _LICENCES for path in folder.glob(pattern)]
    written = []
    for file in files:
        if file.is_file():
            shutil.copyfile(file, out / file.name)
            written.append(out / file.name)
    return written


def _adapt_rest(out: Path, delta: Delta) -> list[Path]:
    """Make the copied settings fit: no code that was not copied, the new vocabulary, a chat template without a clock.

    Returns the files that are new.
    """
    with _edited(out / "config.json") as config:
        config.pop("auto_map", None)
        if delta.rows:
            (config if "vocab_size" in config else config["text_config"])["vocab_size"] = max(delta.rows.values())
    if delta.rows and (out / "model.safetensors.index.json").is_file():
        with _edited(out / "model.safetensors.index.json") as index:
            index.get("metadata", {}).pop("total_size", None)
    settings = out / "tokenizer_config.json"
    source = template.read(out, json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {})
    file = out / "chat_template.jinja"
    if source is None or (fixed := without_clock(source)) == source:
        return []
    is_new = not file.is_file()
    file.write_text(fixed, encoding="utf-8")
    return [file] if is_new else []


@contextmanager
def _edited(path: Path) -> Iterator[dict[str, Any]]:
    """A JSON file's object; what the block changes in it is written back."""
    text = path.read_text(encoding="utf-8")
    value = json.loads(text)
    yield value
    if value != json.loads(text):
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _check(job: ExportJob) -> dict[str, Any]:
    """Largest differences of the logits on a probe of the document's own text."""
    import numpy as np

    from .loading import forget_models
    from .open_model import HfOpenModel

    with job.open() as model:
        ids = model.encode(_probe_text(job.rows))[:128]
        wanted = model.logits(ids, job.adapter.name)
    base = LocatedBase(job.base.model, job.out, read_shape(job.out), "")
    merged = HfOpenModel(base, None, Precision("fp32", "none", "check of the merged weights"), job.system_prompt)
    with merged:
        found = merged.logits(ids, None)
    forget_models()
    kl, top = kl_and_top1(wanted, found)
    worst = float(np.abs(wanted - found).max())
    limit = 5e-3 if job.base.shape.bytes_per_weight >= 4 else 0.1  # nats; a 16-bit base rounds the change away
    if not kl <= limit or top < 0.9:
        raise ExportFailedError(
            f"the merged model does not answer as base and adapter do (KL {kl:.2g}, top-1 {top:.0%})",
            "the adapter's change may be smaller than the rounding of the base's dtype: export the adapter folder",
        )
    return {"probe_tokens": len(ids), "max_logit_difference": worst, "mean_kl": kl, "top1_agreement": top}


def kl_and_top1(wanted: numpy.ndarray, found: numpy.ndarray) -> tuple[float, float]:
    """Mean KL divergence in nats of `found` from `wanted`, and how often both choose the same next token.

    Both are logits of shape (tokens, vocabulary).
    """
    import numpy as np

    def log_softmax(logits: numpy.ndarray) -> numpy.ndarray:
        shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))

    p, q = log_softmax(wanted), log_softmax(found)
    return float((np.exp(p) * (p - q)).sum(-1).mean()), float((p.argmax(-1) == q.argmax(-1)).mean())


def _probe_text(rows: Sequence[Row]) -> str:
    texts: Iterable[str] = (
        row.data.get("text") or " ".join(message.text for message in row.messages) for row in rows[:8]
    )
    return " ".join([*texts, _PROBE])


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
