"""An export needs no more memory for a larger model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CODE = """
import sys, threading, time
from pathlib import Path
from dlm_gguf import families, quants, sources, weights, write
from dlm_gguf.adapter import Adapter
folder = Path(sys.argv[1])
def used(): return int(Path('/proc/self/status').read_text().split('RssAnon:')[1].split()[0]) / 1024
shape = families.read_shape(folder)
found = sources.merged_sources(weights.read_folder(folder), Adapter(), shape)
types = {s.name: quants.tensor_type(quants.QUANTS['F16'], s.name, s.shape, 1, tied=True)[0] for s in found}
before, peak, done = used(), [0], threading.Event()
def watch():
    while not done.wait(0.005): peak[0] = max(peak[0], used())
threading.Thread(target=watch, daemon=True).start()
with write.Target(folder / 'x.gguf', types, lambda w: None, 'llama') as target:
    write.write_all(found, [target]); target.finish()
done.set()
print(peak[0] - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's accounting")
def test_anonymous_memory_stays_small(tmp_path: Path) -> None:
    config = {
        "model_type": "llama", "hidden_size": 1024, "intermediate_size": 1024, "num_hidden_layers": 0,
        "num_attention_heads": 8, "vocab_size": 96 << 10, "tie_word_embeddings": True,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    size = 2 * (96 << 10) * 1024  # one tensor of 192 MiB
    entry = {"model.embed_tokens.weight": {"dtype": "BF16", "shape": [96 << 10, 1024], "data_offsets": [0, size]}}
    header = json.dumps(entry).encode()
    with (tmp_path / "model.safetensors").open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.write(np.full(size // 2, 0x3DCC, np.uint16).tobytes())
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=True, env=env
    )
    assert (tmp_path / "x.gguf").stat().st_size > size
    assert float(done.stdout) < 24
