"""Tokenizers of every supported kind give llama.cpp's ids, as an exported vocabulary proves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlm_gguf import merged
from dlm_gguf.families import read_shape
from dlm_gguf.pretokenizer import _GPT4, _TEKKEN
from dlm_gguf.tokenizer import read_tokenizer

Make = Callable[..., Any]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def train(folder: Path, splitter: Any, *, ignore_merges: bool = False, sentencepiece: bool = False) -> None:
    """Replace a base's tokenizer by one with another way of splitting."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    from dlm_gguf.texts import TEXTS

    corpus = [text for text in TEXTS if text.isprintable()] * 3
    special = [*SPECIAL, *(["<unk>", *(f"<0x{i:02X}>" for i in range(256))] if sentencepiece else [])]
    tokenizer = Tokenizer(models.BPE(byte_fallback=sentencepiece, unk_token="<unk>" if sentencepiece else None))
    if sentencepiece:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.ByteFallback()
    else:
        tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoders.ByteLevel()
    room = {"limit_alphabet": 150} if sentencepiece else {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False, **room)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    data = json.loads(tokenizer.to_str())
    data["model"]["ignore_merges"] = ignore_merges
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith(("<0x", "<unk>"))]
    (folder / "tokenizer.json").write_text(json.dumps(data), "utf-8")


def splitters() -> dict[str, Any]:
    from tokenizers import Regex, pre_tokenizers

    def split(pattern: str) -> Any:
        isolated = pre_tokenizers.Split(Regex(pattern), "isolated", invert=False)
        return pre_tokenizers.Sequence([isolated, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    return {
        "smollm": digits,
        "llama-bpe": split(_GPT4 % "{1,3}"),
        "smaug-bpe": split(_GPT4 % "{1,3}"),
        "qwen2": split(_GPT4 % ""),
        "tekken": split(_TEKKEN),
        "default": None,
    }


@pytest.mark.parametrize("pre", ["smollm", "llama-bpe", "smaug-bpe", "qwen2", "tekken", "default"])
def test_ids_of_every_kind_of_tokenizer(pre: str, bases: Make, job: Make, adapt: Make, tmp_path: Path) -> None:
    base = shutil.copytree(bases(tied=True), tmp_path / "copy")
    sentencepiece = pre == "default"
    train(base, splitters()[pre], ignore_merges=pre == "llama-bpe", sentencepiece=sentencepiece)
    tokenizer = read_tokenizer(base, None, read_shape(base), 512)
    assert tokenizer.pre == pre
    assert tokenizer.model == ("llama" if sentencepiece else "gpt2")
    task = job(base, adapt(base, target_modules=["q_proj"]), "F16")
    assert merged.export(task)[0].details["parity"]["token_ids_equal"] == ("68/68" if pre == "tekken" else "69/69")
