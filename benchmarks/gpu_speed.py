"""Training speed on a GPU: our loop against TRL as it comes, on models of published shapes with random weights.

    python benchmarks/gpu_speed.py [--shape 1B 8B] [--length 4096 --rows 24 --micro 1] [--json]

Each variant runs in a process of its own: LoRA of rank 8 on every linear layer of a Llama in bf16, rows of `--length`
random tokens of which all are learned, `--micro` rows a pass and a step.  Tokens a second are of wall time between
steps, the first four left out.  TFLOP/s are 4 operations a weight and token, as a frozen base costs 2 forward and 2
backward; NVIDIA's NeMo Automodel counts so in the 402 TFLOP/s at 12,473 tokens/s that it published for Llama-3-8B on
one H100.  The share of the peak is of a large matrix product in bf16, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

RANK, ALPHA, RATE, WARM = 8, 16, 1e-4, 4
#: Hidden size, intermediate size, layers, heads, key-value heads, vocabulary, tied embeddings; `mini` is to try it out.
SHAPES = {
    "mini": (64, 128, 2, 4, 2, 512, True),
    "1B": (2048, 8192, 16, 32, 8, 128256, True),
    "8B": (4096, 14336, 32, 32, 8, 128256, False),
}
PUBLISHED = {"8B": 12473}  # tokens/s on one H100
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    options = parse()
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"this needs a GPU, and torch {torch.__version__} sees none here; --device cpu tries the script out")
    if options.variant:
        print(json.dumps(VARIANT[options.variant](options)))
        return
    cases = [(shape, name) for shape in options.shape for name in options.only or VARIANT]
    found = [{"shape": shape, "variant": name, **run(name, shape, options)} for shape, name in cases]
    print(json.dumps(found, indent=2) if options.json else table(found, options))


def table(found: list[dict[str, Any]], options: argparse.Namespace) -> str:
    lines = [f"{'shape':6}{'variant':10}{'tokens/s':>10}{'TFLOP/s':>9}{'of peak':>9}{'peak GB':>9}{'loss':>8}"]
    for one in found:
        lines.append(
            f"{one['shape']:6}{one['variant']:10}{one['speed']:10.0f}{one['tflops']:9.1f}"
            f"{one['tflops'] / one['peak_tflops']:9.0%}{one['peak_gb']:9.1f}{one['loss']:8.3f}"
        )
        if one["shape"] in PUBLISHED and options.device == "cuda":
            lines.append(f"{'':16}{one['speed'] / PUBLISHED[one['shape']]:.2f} of {PUBLISHED[one['shape']]:,} tokens/s")
    return "\n".join([f"on {found[0]['machine']}", *lines])


def run(name: str, shape: str, options: argparse.Namespace) -> dict[str, Any]:
    sizes = [f"--{key}={getattr(options, key)}" for key in ("rows", "length", "micro", "device")]
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, __file__, *sizes, "--shape", shape, f"--place={place}", f"--variant={name}"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


class Clock:
    """Wall time at the end of each step, when the device has done it."""

    def __init__(self, device: str) -> None:
        self.device, self.times = device, list[float]()

    def tick(self) -> None:
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """A step, the first ones left out."""
        return (self.times[-1] - self.times[WARM]) / (len(self.times) - 1 - WARM)


def rows_of(options: argparse.Namespace) -> list[tuple[int, ...]]:
    import random

    draw, vocabulary = random.Random(0), SHAPES[options.shape[0]][5]
    return [tuple(draw.randrange(10, vocabulary) for _ in range(options.length)) for _ in range(options.rows)]


def model_of(options: argparse.Namespace) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, inner, layers, heads, kv_heads, vocabulary, tied = SHAPES[options.shape[0]]
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=max(8192, options.length),
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        dtype="bfloat16",
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(options.device):
            return LlamaForCausalLM(config).requires_grad_(False)
    finally:
        torch.set_default_dtype(torch.float32)


def ours(options: argparse.Namespace) -> dict[str, Any]:
    """`dlm_hf.loop.fit` with the loss and the adapter of `dlm train`."""
    from dlm_hf.imports import prepare

    prepare()
    from dlm_core.api import AdapterSettings, Batch, Control, Precision, TrainingSettings
    from dlm_hf import loop, lora, sft
    from dlm_hf.loss import plain_head
    from dlm_hf.testing import make_job, make_small_base
    from dlm_hf.tokens import Example

    model, place, clock = model_of(options), Path(options.place), Clock(options.device)
    parameters = model.num_parameters()
    rows = [
        Example(ids, (False, *[True] * (len(ids) - 1)), line, row=line) for line, ids in enumerate(rows_of(options))
    ]
    is_plain = plain_head(model) is not None
    adapted = lora.attach(model, AdapterSettings("lora", RANK, ALPHA, 0.0, learning_rate=RATE), "bench")
    job = make_job(
        make_small_base(place / "base"),  # a job names a base; the loop is given its model
        [],
        place,
        batch=Batch(options.micro, 1),
        precision=Precision("bf16", "none", "a benchmark"),
        settings=TrainingSettings(options.length, 1, lr_scheduler="constant", warmup_ratio=0),
        control=Control(lambda event: clock.tick() if event.kind in ("phase", "step") else None),
    )
    loss = partial(sft._loss, model, is_plain=is_plain, dtype="bf16")
    metrics = loop.fit(job, loop.Task("default", adapted, rows, [], 2, loss, RATE))
    return report(options, clock, metrics["loss"], parameters)


def trl(options: argparse.Namespace) -> dict[str, Any]:
    """TRL's SFTTrainer as it comes: bf16, gradient checkpointing."""
    import peft
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from dlm_hf.testing import make_small_tokenizer

    class Ticks(TrainerCallback):
        def on_train_begin(self, *_args: Any, **_more: Any) -> None:
            clock.tick()

        def on_step_end(self, *_args: Any, **_more: Any) -> None:
            clock.tick()

    model, place, clock = model_of(options), Path(options.place), Clock(options.device)
    parameters = model.num_parameters()
    make_small_tokenizer(place)
    rows = [list(ids) for ids in rows_of(options)]
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(place / "trl"),
            per_device_train_batch_size=options.micro,
            max_length=options.length,
            num_train_epochs=1,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            use_cpu=options.device == "cpu",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({"input_ids": rows, "labels": rows}),
        processing_class=PreTrainedTokenizerFast(
            tokenizer_file=str(place / "tokenizer.json"), eos_token="<|im_end|>", pad_token="<|endoftext|>"
        ),
        peft_config=peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, task_type="CAUSAL_LM"),
        callbacks=[Ticks()],
    )
    done = trainer.train()
    return report(options, clock, done.training_loss, parameters)


def report(options: argparse.Namespace, clock: Clock, loss: float, parameters: int) -> dict[str, Any]:
    import torch

    from dlm_core.planning.peak import peak_memory
    from dlm_hf import gauge

    speed = options.micro * options.length / clock.seconds
    peak = gauge.peak(torch.device(options.device)).get("peak_memory") or peak_memory() or 0
    return {
        "machine": torch.cuda.get_device_name() if options.device == "cuda" else "the processor",
        "speed": speed,
        "tflops": 4 * parameters * speed / 1e12,
        "peak_tflops": peak_tflops(options.device),
        "peak_gb": peak / 1e9,
        "loss": loss,
    }


def peak_tflops(device: str) -> float:
    """What the device reaches on the product of two large matrices in bf16: the fastest of ten."""
    import torch

    size = 8192 if device == "cuda" else 1024
    a = torch.randn(size, size, device=device).bfloat16()
    fastest, clock = float("inf"), Clock(device)
    clock.tick()
    for _ in range(10):
        a @ a
        clock.tick()
        fastest = min(fastest, clock.times[-1] - clock.times[-2])
    return 2 * size**3 / fastest / 1e12


VARIANT = {"ours": ours, "trl": trl}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["1B", "8B"])
    for name, default in (("length", 4096), ("rows", 24), ("micro", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", nargs="+", choices=VARIANT)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--variant", choices=VARIANT, help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
