"""GGUF export of a 135M-shaped model against reading and writing the same bytes: CPU seconds and memory.

    python benchmarks/export_speed.py [--folder DIR]

The weights are random.  Every measurement runs in a process of its own; its CPU time is user plus system, from the
first import on, and its memory is the highest anonymous part of its resident set.  Ratios are of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

#: SmolLM2-135M: 272 tensors, 134,515,008 weights, tied embeddings.
HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, VOCABULARY = 576, 1536, 30, 9, 3, 49152


def make_base(folder: Path) -> Path:
    """Write a random BF16 model in that shape, without torch; returns the weights' file."""
    config = {
        "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "vocab_size": VOCABULARY,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "rope_theta": 100000.0,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    rng = np.random.default_rng(0)
    shapes = dict(_shapes())
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = folder / "model.safetensors"
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            values = (rng.standard_normal(shape, np.float32) * 0.02).view(np.uint32)
            stream.write((values >> 16).astype(np.uint16).tobytes())
    return path


def _shapes() -> list[tuple[str, tuple[int, ...]]]:
    kv = HIDDEN // HEADS * KV_HEADS
    parts: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (HIDDEN, HIDDEN), "self_attn.k_proj": (kv, HIDDEN), "self_attn.v_proj": (kv, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN), "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
        "mlp.up_proj": (INTERMEDIATE, HIDDEN), "mlp.down_proj": (HIDDEN, INTERMEDIATE),
        "input_layernorm": (HIDDEN,), "post_attention_layernorm": (HIDDEN,),
    }  # fmt: skip
    layers = [(f"model.layers.{i}.{part}.weight", shape) for i in range(LAYERS) for part, shape in parts.items()]
    return [("model.embed_tokens.weight", (VOCABULARY, HIDDEN)), *layers, ("model.norm.weight", (HIDDEN,))]


def make_adapter(folder: Path, rank: int = 16) -> None:
    """Write a random LoRA of that rank on every linear layer."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}
    (folder / "adapter_config.json").write_text(json.dumps(settings), "utf-8")
    tensors = {}
    for name, shape in _shapes():
        if "_proj" in name:
            module = "base_model.model." + name.removesuffix(".weight")
            tensors[f"{module}.lora_A.weight"] = rng.standard_normal((rank, shape[1]), np.float32) * 0.02
            tensors[f"{module}.lora_B.weight"] = rng.standard_normal((shape[0], rank), np.float32) * 0.02
    save_file(tensors, folder / "adapter_model.safetensors")


def copy(source: Path, target: Path) -> None:
    """Read a file and write it, 256 KiB at a time, and make it durable."""
    buffer = memoryview(bytearray(1 << 18))
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while count := reader.readinto(buffer):
            writer.write(buffer[:count])
        os.fsync(writer.fileno())


def export(base: Path, adapter: Path | None, quant: str, target: Path) -> None:
    """The exporter's one pass, hash and sync included, without the gate (which runs the model in llama.cpp)."""
    from dlm_gguf.adapter import Adapter, read_adapter
    from dlm_gguf.families import add_metadata, read_shape
    from dlm_gguf.quants import QUANTS, tensor_type
    from dlm_gguf.sources import merged_sources
    from dlm_gguf.weights import read_folder
    from dlm_gguf.write import Target, write_all

    shape = read_shape(base)
    sources = merged_sources(read_folder(base), read_adapter(adapter) if adapter else Adapter(), shape)
    types = {s.name: tensor_type(QUANTS[quant], s.name, s.shape, shape.layers, tied=True)[0] for s in sources}
    with Target(target, types, lambda writer: add_metadata(writer, shape, VOCABULARY), "llama") as file:
        write_all(sources, [file])
        file.finish()


def measured(job: str, folder: Path) -> None:
    """Run one job in this process and print its CPU seconds and peak anonymous memory in MiB."""
    peak, done = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, done), daemon=True)
    watcher.start()
    target = folder / "out.gguf"
    if job == "copy":
        copy(folder / "model.safetensors", target)
    else:
        kind, quant = job.split()
        export(folder, folder / "adapter" if kind == "merge" else None, quant, target)
    done.set()
    watcher.join()
    size = target.stat().st_size
    target.unlink()
    print(json.dumps({"cpu": time.process_time(), "memory": peak[0] / 1024, "bytes": size}))


def _watch(peak: list[int], done: threading.Event) -> None:
    while not done.wait(0.02):
        text = Path("/proc/self/status").read_text("utf-8")
        peak[0] = max(peak[0], int(text.split("RssAnon:")[1].split()[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--job")
    options = parser.parse_args()
    if options.job:
        measured(options.job, options.folder)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        (folder / "adapter").mkdir()
        source = make_base(folder)
        make_adapter(folder / "adapter")
        copy(source, folder / "warm")
        (folder / "warm").unlink()
        print(f"{source.stat().st_size / 1e6:.0f} MB of BF16 weights, {len(_shapes())} tensors; median of three runs\n")
        print(f"{'job':24}{'CPU s':>8}{'ratio':>8}{'anonymous MiB':>16}{'MB written':>12}")
        base = 0.0
        for job in ("copy", "base F16", "base BF16", "merge F16", "merge BF16", "base Q8_0", "base Q4_K_M"):
            runs = sorted((_run(job, folder) for _ in range(3)), key=lambda run: run["cpu"])
            found = runs[1]
            base = base or found["cpu"]
            cpu, written = found["cpu"], found["bytes"] / 1e6
            print(f"{job:24}{cpu:8.2f}{cpu / base:8.1f}{found['memory']:16.0f}{written:12.0f}")


def _run(job: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--job", job, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
