"""How well a base's tokenizer covers a document's prose.  Imports no torch."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

#: A word in so many pieces or more counts as split.
PIECES = 4
#: So many of the words that cost most, and so many characters, are listed.
LISTED = 20
#: No more prose than this is looked at, in characters.
MOST = 2_000_000

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
#: What tokenizers put before a word in place of a blank.
_BLANKS = "▁Ġ"


@dataclass(frozen=True, slots=True)
class SplitWord:
    word: str
    pieces: int
    count: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Tokens a word and a character, here and on everyday English; words in `pieces` or more pieces; characters.

    `split_share` is of the words as they come, `split_words` those that cost most pieces.  `unknown` characters become
    the token for anything unknown, those `in_bytes` several tokens each.  `looked_at` counts characters.
    """

    tokens_per_word: float
    tokens_per_character: float
    neutral_tokens_per_word: float
    neutral_tokens_per_character: float
    words: int
    pieces: int
    split_share: float
    split_words: tuple[SplitWord, ...]
    unknown: tuple[str, ...]
    in_bytes: tuple[str, ...]
    looked_at: int


def coverage(folder: Path, texts: Sequence[str]) -> Coverage:
    """Compare the tokenizer of the base in `folder` on some prose with itself on everyday English."""
    from dlm_core.neutral import neutral_texts
    from dlm_hf.tokens import load_coder

    tokenizer = load_coder(folder).tokenizer
    texts = _first(texts, MOST)
    words = Counter(word for text in texts for word in _WORD.findall(text))
    total = sum(words.values())
    pieces = _pieces(tokenizer, words)
    split = [SplitWord(word, pieces[word], count) for word, count in words.items() if pieces[word] >= PIECES]
    split.sort(key=lambda one: (-one.count * one.pieces, one.word))
    unknown, in_bytes = _characters(tokenizer, Counter(letter for text in texts for letter in text))
    per_word, per_character = _rates(tokenizer, texts)
    neutral_word, neutral_character = _rates(tokenizer, neutral_texts())
    return Coverage(
        tokens_per_word=per_word,
        tokens_per_character=per_character,
        neutral_tokens_per_word=neutral_word,
        neutral_tokens_per_character=neutral_character,
        words=total,
        pieces=PIECES,
        split_share=sum(one.count for one in split) / total if total else 0.0,
        split_words=tuple(split[:LISTED]),
        unknown=tuple(unknown[:LISTED]),
        in_bytes=tuple(in_bytes[:LISTED]),
        looked_at=sum(map(len, texts)),
    )


def _first(texts: Iterable[str], most: int) -> list[str]:
    found: list[str] = []
    for text in texts:
        if most <= 0:
            break
        found.append(text[:most])
        most -= len(found[-1])
    return found


def _rates(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[float, float]:
    """Tokens a word and tokens a character."""
    tokens = sum(len(one.ids) for one in tokenizer.encode_batch(texts, add_special_tokens=False))
    words = sum(len(_WORD.findall(text)) for text in texts)
    return tokens / max(1, words), tokens / max(1, sum(map(len, texts)))


def _pieces(tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, int]:
    """In how many tokens each word comes within a text: after a blank."""
    listed = list(words)
    alone = tokenizer.encode_batch([f" {word}" for word in listed], add_special_tokens=False)
    return {word: _without_blank(one.tokens) for word, one in zip(listed, alone, strict=True)}


def _characters(tokenizer: Tokenizer, letters: Counter[str]) -> tuple[list[str], list[str]]:
    """Characters without a token of their own, the most frequent first: unknown ones, and those spelled in bytes."""
    listed = [letter for letter, _ in letters.most_common() if not letter.isspace()]
    unknown, in_bytes = [], []
    stands_for_unknown = getattr(tokenizer.model, "unk_token", None)
    for letter, one in zip(listed, tokenizer.encode_batch(listed, add_special_tokens=False), strict=True):
        if not one.ids or (stands_for_unknown in one.tokens and letter != stands_for_unknown):
            unknown.append(letter)
        elif _without_blank(one.tokens) > 1:
            in_bytes.append(letter)
    return unknown, in_bytes


def _without_blank(tokens: Sequence[str]) -> int:
    return len(tokens) - (bool(tokens) and tokens[0] in _BLANKS and len(tokens) > 1)
