"""The benchmark of the base: teach it an invented subject with LoRA and ask in words it was never trained on.

    python -m recipe.teach [MODEL] [--rate 5e-3 --rank 16 --rows 12 --steps 40] [--together]

For each subject of `subjects.json`: twelve pairs are trained, then the pairs and twelve paraphrases are asked greedily;
an answer counts when it is exactly the trained one.  With `--together` one adapter learns the first two subjects and
their prose, as a small document would.  MODEL gives the weights; tokenizer and template are the package's.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "dlm_tiny" / "model"
SUBJECTS = HERE / "subjects.json"


@dataclass(frozen=True, slots=True)
class Result:
    """Counts of exact answers among `asked` questions, and what the teaching cost."""

    trained: int
    paraphrased: int
    asked: int
    steps: int
    cpu_seconds: float
    loss: float


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    subjects = json.loads(SUBJECTS.read_text())
    groups = [subjects[:2]] if arguments.together else [[subject] for subject in subjects]
    for group in groups:
        result = teach(arguments, group)
        names = " and ".join(subject["name"] for subject in group)
        print(
            f"{names}: {result.trained} of {result.asked} trained pairs, {result.paraphrased} of {result.asked} "
            f"paraphrases; {result.steps} steps, {result.cpu_seconds:.1f} CPU-s, loss {result.loss:.4f}",
            flush=True,
        )


def teach(arguments: argparse.Namespace, subjects: Sequence[dict[str, Any]]) -> Result:
    """Train one adapter on the pairs of the subjects and ask."""
    torch.manual_seed(arguments.seed)
    tokenizer = AutoTokenizer.from_pretrained(MODEL, padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    lora = LoraConfig(
        r=arguments.rank, lora_alpha=2 * arguments.rank, lora_dropout=arguments.dropout, target_modules="all-linear"
    )
    model = get_peft_model(base, lora)
    pairs = [pair for subject in subjects for pair in subject["pairs"]]
    rows = [_pair_row(tokenizer, pair["q"], pair["a"]) for pair in pairs]
    if arguments.together:
        rows += [_prose_row(tokenizer, text) for subject in subjects for text in subject["prose"]]
    begun = time.process_time()
    loss = _train(model, rows, arguments)
    spent = time.process_time() - begun
    answers = [pair["a"] for pair in pairs]
    trained, paraphrased = (
        sum(map(str.__eq__, _ask(model, tokenizer, [pair[key] for pair in pairs]), answers)) for key in ("q", "p")
    )
    return Result(trained, paraphrased, len(pairs), arguments.steps, spent, loss)


def _train(model: Any, rows: list[tuple[list[int], list[int]]], arguments: argparse.Namespace) -> float:
    """AdamW over shuffled epochs with a cosine rate; returns the last loss."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=arguments.rate, weight_decay=0.0)
    order: list[int] = []
    warmup, loss = max(1, round(0.1 * arguments.steps)), torch.tensor(math.nan)
    model.train()
    for step in range(arguments.steps):
        if not order:
            order = torch.randperm(len(rows)).tolist()
        batch, order = [rows[i] for i in order[: arguments.rows]], order[arguments.rows :]
        scale = (step + 1) / warmup if step < warmup else _cosine((step - warmup) / (arguments.steps - warmup))
        for group in optimizer.param_groups:
            group["lr"] = arguments.rate * scale
        loss = model(**_collate(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def _pair_row(tokenizer: Any, question: str, answer: str) -> tuple[list[int], list[int]]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    made = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    labels = [i if mask else -100 for i, mask in zip(made["input_ids"], made["assistant_masks"], strict=True)]
    return made["input_ids"], labels


def _prose_row(tokenizer: Any, text: str) -> tuple[list[int], list[int]]:
    ids = tokenizer(text)["input_ids"]
    return ids, list(ids)


def _collate(rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [-100] * (longest - len(row)) for _, row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


@torch.no_grad()
def _ask(model: Any, tokenizer: Any, questions: list[str]) -> list[str]:
    model.eval()
    chats = [[{"role": "user", "content": question}] for question in questions]
    texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    out = model.generate(**batch, max_new_tokens=32, do_sample=False)
    return [
        text.strip() for text in tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=MODEL)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--rows", type=int, default=12, help="rows in a step")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--together", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
