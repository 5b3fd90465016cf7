"""Small adapters, exports and stores for the tests, made with the standard library."""

from __future__ import annotations

import gc
import json
import os
import struct
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from dlm_core.store import Store, Version, Writer

ID = "0123456789ABCDEFGHJKMNPQRS"


def forked(work: Callable[[], int]) -> int:
    """Start a child process that runs `work` and exits with what it returns (200 after an exception); its pid."""
    gc.freeze()  # A collection in the child would copy every page of the parent.
    if pid := os.fork():
        return pid
    code = 200
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    """Wait for a child; negative when a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def safetensors(tensors: Mapping[str, tuple[str, bytes]]) -> bytes:
    """A safetensors file of one-dimensional tensors: name -> (dtype, bytes)."""
    header, data = {}, b""
    for name, (dtype, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": [], "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return len(text).to_bytes(8, "little") + text + data


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def write_adapter(out: Path, *values: float) -> None:
    """What a trainer leaves: one PEFT folder, written without any care for durability."""
    folder = out / "default"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(safetensors({"lora_A": ("F32", floats(*values))}))
    (folder / "adapter_config.json").write_text('{"r": 8}\n')


def train(writer: Writer, *values: float) -> Version:
    """A whole run: begin, checkpoint, keep, commit."""
    run = writer.begin({"document": {"sha256": "d" * 64}, "base": {"key": "tiny"}, "seed": 42})
    (run.work / "step-000001").mkdir()
    (run.work / "step-000001" / "state.json").write_text('{"step": 1}')
    run.record("step", phase="sft", step=1, loss=2.5)
    write_adapter(run.out, *values)
    return run.commit(run.keep(run.out), {"metrics": {"loss": 0.5}})


def export(writer: Writer, version: int, name: str, text: str) -> Path:
    folder = writer.scratch(name)
    (folder / "model.gguf").write_text(text)
    return writer.keep_export(version, name, folder)


def files(store: Store) -> set[str]:
    """Every path in a store but the lock and the runs database."""
    found = (path.relative_to(store.root).as_posix() for path in store.root.rglob("*"))
    return {path for path in found if path != "lock" and not path.startswith("runs.sqlite")}


def named(store: Store) -> set[str]:
    """Every path that a store without leftovers holds, by what its generation names."""
    state = store.generation()
    found = {"HEAD", "generations", "adapters", "manifests", "replay", "exports", "runs", "tmp"}
    found |= {f"generations/{number:06d}.json" for number in (state.number - 1, state.number) if number >= 0}
    for version in store.versions():
        found |= {f"adapters/{version.sha256}", f"manifests/{version.record.manifest}.json"}
        if version.record.replay:
            found.add(f"replay/{version.record.replay}")
        for name in version.manifest["adapter"]["files"]:
            path = Path("adapters", version.sha256, name)
            found |= {path.as_posix(), path.parent.as_posix()}
    if pages := store.reports().values():
        found |= {"reports", *(path.relative_to(store.root).as_posix() for path in pages)}
    elif (store.root / "reports").is_dir():
        found.add("reports")  # the run was ended between the folder and the page
    for entry in state.exports:
        folder = f"exports/v{entry.version:04d}"
        found |= {folder, f"{folder}/{entry.name}", *(f"{folder}/{entry.name}/{name}" for name in entry.files)}
    return found
