"""Training speed: our loop against the best hand-written PyTorch loop and against TRL, on the same rows.

Each variant runs in a process of its own, with one thread, on a small Llama and chat-shaped rows of random ids, and
reports tokens a CPU-second over the training steps alone.  Before training, every variant measures the same rows:
their losses must agree, or the comparison means nothing.  With several runs the variants take turns; a ratio is that
of two processes that ran one after the other.

    python benchmarks/train_speed.py [--rows 64] [--hidden 192 --layers 8 --vocabulary 32000] [--runs 5] [--json]
    python benchmarks/train_speed.py --base tiny                    # the included base
    python benchmarks/train_speed.py --hidden 512 --layers 14       # a Llama of 60 million weights
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MICRO, RANK, ALPHA, RATE, PROBE = 8, 8, 16, 1e-3, 8
POSITIONS = {"bf16": 1024, "fp32": 512}  # of a pass, as a plan without settings has them on a processor
VARIANTS = ("ours", "ours-fp32", "hand", "hand-chunked", "hand-divided", "hand-bf16", "trl", "trl-fp32")
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    options = parse()
    if options.variant:
        print(json.dumps(VARIANT[options.variant](options)))
        return
    with tempfile.TemporaryDirectory() as place:
        found = [{name: run(name, options, place) for name in options.only or VARIANTS} for _ in range(options.runs)]
    losses = [one["loss_before"] for turn in found for one in turn.values()]
    if max(losses) - min(losses) > 0.01 * max(losses):
        sys.exit(f"the variants do not measure the same loss on the same rows: {losses}")
    print(json.dumps(found, indent=2) if options.json else table(found))


def table(found: list[dict[str, dict[str, float]]]) -> str:
    lines = [f"{'variant':14}{'tokens/CPU-s':>14}{'ours is':>20}{'loss before':>13}{'after':>8}{'peak MB':>9}"]
    for name in found[0]:
        one = {key: statistics.median(turn[name][key] for turn in found) for key in found[0][name]}
        ratios = [turn["ours"]["speed"] / turn[name]["speed"] for turn in found if "ours" in turn]
        ratio = f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else ""
        lines.append(
            f"{name:14}{one['speed']:14.0f}{ratio:>20}{one['loss_before']:13.4f}{one['loss_after']:8.3f}"
            f"{one['peak_mb']:9.0f}"
        )
    return "\n".join(lines)


def run(name: str, options: argparse.Namespace, place: str) -> dict[str, float]:
    sizes = [f"--{key}={getattr(options, key)}" for key in ("rows", "hidden", "layers", "vocabulary", "base")]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, __file__, *sizes, f"--place={place}", f"--variant={name}"]
    done = subprocess.run(command, env=settings, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def rows_of(options: argparse.Namespace) -> list[Any]:
    """Chat-shaped rows: 30 to 512 tokens, most of them short, the last half of each an answer."""
    from dlm_hf.tokens import Example

    draw = random.Random(0)
    rows = []
    for line in range(options.rows):
        length = min(512, 30 + round(draw.expovariate(1 / 110)))
        ids = tuple(draw.randrange(10, options.vocabulary) for _ in range(length))
        rows.append(Example(ids, tuple(place >= length // 2 for place in range(length)), line, row=line))
    return rows


def model_of(options: argparse.Namespace) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.base == "tiny":
        import dlm_tiny

        folder = Path(dlm_tiny.__file__).parent / "model"
        return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).requires_grad_(False)
    config = LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.hidden,
        intermediate_size=options.hidden * 8 // 3,
        num_hidden_layers=options.layers,
        num_attention_heads=options.hidden // 64,
        num_key_value_heads=options.hidden // 64,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    return LlamaForCausalLM(config).requires_grad_(False)


def report(rows: list[Any], seconds: float, before: float, after: float) -> dict[str, float]:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    tokens = sum(len(one.ids) for one in rows)
    return {"speed": tokens / seconds, "loss_before": before, "loss_after": after, "peak_mb": peak, "seconds": seconds}


def plain_loss(model: Any, rows: list[Any]) -> float:
    """The mean loss of the probe rows by the model's own forward pass: what every variant must start from."""
    import torch

    model.eval()
    total = tokens = 0.0
    with torch.no_grad():
        for one in rows[:PROBE]:
            labels = [token if learned else -100 for token, learned in zip(one.ids, one.learned, strict=True)]
            loss = model(input_ids=torch.tensor([one.ids]), labels=torch.tensor([labels]), use_cache=False).loss
            total, tokens = total + float(loss) * one.labelled, tokens + one.labelled
    model.train()
    return total / tokens


def ours(options: argparse.Namespace, precision: str = "bf16") -> dict[str, float]:
    """`dlm_hf.loop.fit` with a peft adapter, as `dlm train` runs it on a processor with bf16, or on another."""
    from dlm_hf.imports import prepare

    prepare()
    from dlm_core.api import AdapterSettings, Batch, Control, TrainingSettings
    from dlm_hf import heap, loop, lora
    from dlm_hf.cpu_linear import multiply_in_bf16
    from dlm_hf.loss import plain_head, summed_loss
    from dlm_hf.testing import make_job

    heap.keep_freed()
    rows, model, place = rows_of(options), model_of(options), Path(options.place)
    is_plain = plain_head(model) is not None
    settings = AdapterSettings(lora_r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, learning_rate=RATE)
    if not (place / "base").exists():
        model.save_pretrained(place / "base")
    if precision == "bf16":
        multiply_in_bf16(model)
    adapted = lora.attach(model, settings, "bench")
    seen: dict[str, float] = {}
    control = Control(lambda event: seen.update({event.kind: time.process_time()}))
    job = make_job(
        place / "base",
        [],
        place,
        batch=Batch(MICRO, 1, POSITIONS[precision]),
        settings=TrainingSettings(512, 1, lr_scheduler="constant", warmup_ratio=0),
        control=control,
    )
    task = loop.Task("default", adapted, rows, [], 2, lambda batch: summed_loss(model, batch, is_plain), RATE)
    before = loop.mean_loss(task, rows[:PROBE], job.batch)
    loop.fit(job, task)
    return report(rows, seen["step"] - seen["phase"], before, plain_loss(model, rows))


def hand(
    options: argparse.Namespace, chunked: bool = False, divided: bool = False, bf16: bool = False
) -> dict[str, float]:
    """What a careful person writes: LoRA by hand, rows of like length together, only labelled tokens projected.

    `divided` takes the rows of a step in as many passes as ours.  With `bf16` the base is in it throughout, and the
    adapter is multiplied in it.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812

    class Lora(torch.nn.Module):
        def __init__(self, inner: torch.nn.Linear) -> None:
            super().__init__()
            self.inner = inner
            self.a = torch.nn.Parameter(torch.empty(RANK, inner.in_features))
            torch.nn.init.kaiming_uniform_(self.a, a=5**0.5)  # as peft does
            self.b = torch.nn.Parameter(torch.zeros(inner.out_features, RANK))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = self.a.to(x.dtype), self.b.to(x.dtype)
            return self.inner(x) + F.linear(F.linear(x, a), b) * (ALPHA / RANK)

    rows, model = rows_of(options), model_of(options)
    model = model.bfloat16() if bf16 else model
    most = POSITIONS["bf16" if bf16 else "fp32"]
    for module in list(model.modules()):
        for name, inner in list(module.named_children()):
            if name in TARGETS:
                setattr(module, name, Lora(inner))
    learning = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=RATE, weight_decay=0.0, fused=True)
    chunks = torch.nn.LinearCrossEntropyOptions(chunking_method=None, batch_chunk_size=256)

    def loss_of(batch: list[Any]) -> torch.Tensor:
        longest = max(len(one.ids) for one in batch)
        ids = torch.tensor([[*one.ids, *[2] * (longest - len(one.ids))] for one in batch])
        mask = torch.tensor([[*one.learned, *[False] * (longest - len(one.ids))] for one in batch])
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][mask[:, 1:]]
        targets = ids[:, 1:][mask[:, 1:]]
        if chunked:
            return F.linear_cross_entropy(hidden, model.lm_head.weight, targets, reduction="sum", options=chunks)
        return F.cross_entropy(F.linear(hidden, model.lm_head.weight).float(), targets, reduction="sum")

    def passes(batch: list[Any]) -> list[list[Any]]:
        parts: list[list[Any]] = [[]]
        for one in batch:
            if divided and parts[-1] and (len(parts[-1]) + 1) * len(one.ids) > most:
                parts.append([])
            parts[-1].append(one)
        return parts

    before = plain_loss(model, rows)
    order = sorted(rows, key=lambda one: len(one.ids))
    batches = [order[place : place + MICRO] for place in range(0, len(order), MICRO)]
    random.Random(0).shuffle(batches)
    start = time.process_time()
    for batch in batches:
        labelled = sum(one.labelled for one in batch)
        for part in passes(batch):
            (loss_of(part) / labelled).backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return report(rows, time.process_time() - start, before, plain_loss(model, rows))


def trl(options: argparse.Namespace, fp32: bool = False) -> dict[str, float]:
    """TRL's SFTTrainer as it comes (bf16 autocast, checkpointing), or in float32 without checkpointing."""
    import peft
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from dlm_hf.testing import make_small_tokenizer

    rows, model, place = rows_of(options), model_of(options), Path(options.place)
    make_small_tokenizer(place)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(place / "tokenizer.json"), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    data = Dataset.from_dict(
        {
            "input_ids": [list(one.ids) for one in rows],
            "labels": [[t if k else -100 for t, k in zip(one.ids, one.learned, strict=True)] for one in rows],
        }
    )
    more = {"bf16": False, "activation_checkpointing": False} if fp32 else {}
    arguments = SFTConfig(
        output_dir=str(place / "trl"),
        per_device_train_batch_size=MICRO,
        num_train_epochs=1,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **more,
    )

    class Clock(TrainerCallback):
        started = ended = 0.0

        def on_train_begin(self, *_args: Any, **_more: Any) -> None:
            self.started = time.process_time()

        def on_train_end(self, *_args: Any, **_more: Any) -> None:
            self.ended = time.process_time()

    clock = Clock()
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, task_type="CAUSAL_LM"),
        callbacks=[clock],
    )
    before = plain_loss(trainer.model, rows)
    trainer.train()
    return report(rows, clock.ended - clock.started, before, plain_loss(trainer.model, rows))


VARIANT = {
    "ours": ours,
    "ours-fp32": lambda options: ours(options, "fp32"),
    "hand": hand,
    "hand-chunked": lambda options: hand(options, chunked=True),
    "hand-divided": lambda options: hand(options, chunked=True, divided=True),
    "hand-bf16": lambda options: hand(options, divided=True, bf16=True),
    "trl": trl,
    "trl-fp32": lambda options: trl(options, fp32=True),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 64), ("hidden", 192), ("layers", 8), ("vocabulary", 32000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--base", choices=("random", "tiny"), default="random")
    parser.add_argument("--only", nargs="+", choices=VARIANTS)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.base == "tiny":
        options.vocabulary = 4096
    return options


if __name__ == "__main__":
    main()
