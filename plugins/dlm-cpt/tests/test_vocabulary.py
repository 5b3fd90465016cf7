"""What is said of a tokenizer and a text, counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlm_cpt.vocabulary import coverage


def test_words_in_many_pieces_and_characters_in_bytes_are_found(base: Path) -> None:
    found = coverage(base, ["The harbour lies in Größenwahn, 東京. " * 3])
    listed = {one.word: one for one in found.split_words}
    assert listed["Größenwahn"].count == 3
    assert listed["Größenwahn"].pieces >= 4
    assert set(found.in_bytes) == {"ö", "ß", "東", "京"}
    assert found.unknown == ()
    assert found.words == 18
    assert found.split_share == sum(one.count for one in listed.values()) / 18
    assert found.looked_at == 3 * 36


def test_rates_are_tokens_over_words_and_characters(base: Path) -> None:
    from dlm_hf.tokens import load_coder

    text = "Who keeps the lighthouse? Oda Vell keeps it."
    tokens = len(load_coder(base).tokenizer.encode(text, add_special_tokens=False).ids)
    found = coverage(base, [text])
    assert found.tokens_per_word == pytest.approx(tokens / 8)
    assert found.tokens_per_character == pytest.approx(tokens / len(text))
    assert found.neutral_tokens_per_word > found.tokens_per_word, "the tokenizer was made of such sentences"


def test_characters_that_a_tokenizer_does_not_know(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = {"<unk>": 0, "</s>": 1, **{letter: at + 2 for at, letter in enumerate("abcdefghijklmnopqrstuvwxyz ")}}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "unk_token": "<unk>"}))
    found = coverage(tmp_path, ["abc žluť §"])
    assert set(found.unknown) == {"ž", "ť", "§"}
    assert found.in_bytes == ()


def test_an_empty_text_divides_by_nothing(base: Path) -> None:
    found = coverage(base, [""])
    assert (found.words, found.split_share, found.split_words) == (0, 0.0, ())
