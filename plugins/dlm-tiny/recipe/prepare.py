"""Turn a corpus folder and our own generator into token shards with a validation split fixed by hash.

    python -m recipe.prepare SHARDS --corpus CORPUS
    python -m recipe.prepare SHARDS --invented 150000 --known 150 --seed 1

CORPUS holds `prose.jsonl.gz`, `chat.jsonl.gz` and `synth.jsonl.gz`, one JSON object a line: `text`, `messages` or both.
Invented documents of several seeds may be made side by side: each seed writes shards of its own.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from . import invent
from .shards import write_part

END_OF_TEXT = 0
VALIDATION_SHARE = 0.01
MODEL = Path(__file__).resolve().parent.parent / "dlm_tiny" / "model"


def main() -> None:
    arguments = _arguments()
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    if arguments.corpus:
        _write(read_corpus(arguments.corpus), tokenizer, arguments.out)
    if arguments.invented:
        made = invent.documents(arguments.invented, arguments.known, arguments.seed)
        _write(((f"invented-{arguments.seed}", text) for text in made), tokenizer, arguments.out)


def read_corpus(folder: Path) -> Iterator[tuple[str, str]]:
    """(part, text) for every document.  Prose from books is a part of its own; chats become ChatML."""
    for name in ("prose", "chat", "synth"):
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                part = name if name != "prose" else "books" if record.get("src") == "classic-books" else "other"
                yield part, record_text(record)


def record_text(record: dict[str, Any]) -> str:
    """A record as the model sees it: its running text, then its messages in ChatML."""
    return "\n".join(part for part in (record.get("text", "").strip(), chatml(record)) if part)


def chatml(record: dict[str, Any]) -> str:
    """The same bytes as the model's chat template."""
    return "".join(f"<|im_start|>{m['role']}\n{m['content'].strip()}<|im_end|>\n" for m in record.get("messages", ()))


def is_validation(text: str) -> bool:
    """Whether a document belongs to the validation split; depends on its text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") < VALIDATION_SHARE * 2**64


def _write(documents: Iterable[tuple[str, str]], tokenizer: Tokenizer, out: Path) -> None:
    encoded: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for part, text in documents:
        ids = tokenizer.encode(text).ids
        encoded[part, "val" if is_validation(text) else "train"].append([*ids, END_OF_TEXT])
    for (part, split), parts in sorted(encoded.items()):
        print(f"{part:12} {split:6} {write_part(out, split, part, parts):>12,} tokens")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="folder for the shards")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--tokenizer", type=Path, default=MODEL / "tokenizer.json")
    parser.add_argument("--invented", type=int, default=0, help="documents to generate about invented subjects")
    parser.add_argument("--known", type=int, default=150, help="subjects of the fixed world among them")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
