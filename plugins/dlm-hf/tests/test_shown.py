"""What `dlm tokens` shows is what the trainer's batches hold: ids, mask, and the characters each token stands for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_core.api import Message, Row, RowTokens, Span, TrainingSettings, chat_row, text_row
from dlm_hf.shown import row_tokens
from dlm_hf.template import CHATML
from dlm_hf.testing import make_job, make_small_tokenizer
from dlm_hf.tokens import load_coder

if TYPE_CHECKING:
    from pathlib import Path

ASK = Message.of("user", "Who keeps the lighthouse?")
ANSWER = Message.of("assistant", "Oda Vell keeps it, naïvely: 東京.")
MORE = [Message.of("user", "a"), Message.of("assistant", "Nobody.")]
LONG = "Twelve fathoms deep is the bay, and cold.\n\n" * 20
ROWS = {
    "chat": [chat_row([ASK, ANSWER], Span(3))],
    "text": [text_row("The harbour of Brenmark lies under a hill.\n  Größe — 🙂🙂", Span(5))],
    "long text": [text_row(LONG, Span(5))],
    "several turns": [chat_row([ASK, ANSWER, *MORE], Span(3))],
    "long chat": [chat_row([ASK, Message.of("assistant", LONG)], Span(3)), chat_row([ASK, ANSWER], Span(9))],
}
STRIPS = CHATML.replace("message['content']", "(message['content'] | trim)")
LOOKS_INSIDE = CHATML.replace("message['content']", "(message['content'] | replace('\ufdd2', ''))")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("base")
    make_small_tokenizer(path)
    return path


def trained_on(folder: Path, place: Path, rows: list[Row], system: str | None, long_rows: str) -> set[tuple[Any, ...]]:
    """(ids, positions whose loss is taken) of every row of every batch that the trainer would make."""
    from dlm_hf.batches import collate
    from dlm_hf.sft import read_rows

    (folder / "config.json").write_text(json.dumps(SHAPE))
    settings = TrainingSettings(sequence_len=128)
    job = make_job(folder, rows, place, system_prompt=system, long_rows=long_rows, settings=settings)
    coder = load_coder(folder)
    found = set()
    examples = read_rows(job, coder, rows)
    batch = collate(examples, coder.pad_id)
    for index, one in enumerate(examples):
        width = batch.ids.shape[1]
        ids = batch.ids[index, : len(one.ids)].tolist()
        mine = [place % width + 1 for place in batch.positions.tolist() if place // width == index]
        found.add((tuple(ids), tuple(mine)))
    return found


SHAPE = {"num_hidden_layers": 1, "hidden_size": 8, "vocab_size": 512, "num_attention_heads": 1}


def shown(rows: list[RowTokens]) -> set[tuple[Any, ...]]:
    pieces = [piece.tokens[: piece.kept] for row in rows for piece in row.pieces if piece.kept]
    return {(tuple(t.id for t in p), tuple(n for n, t in enumerate(p) if t.labelled)) for p in pieces}


@pytest.mark.parametrize("long_rows", ["cut", "skip"])
@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("kind", ROWS)
def test_ids_and_labels_are_those_of_the_trainers_batches(folder, tmp_path, kind, system, long_rows):
    seen = list(row_tokens(folder, ROWS[kind], system, 128, long_rows))
    assert shown(seen) == trained_on(folder, tmp_path, ROWS[kind], system, long_rows)
    assert len(seen) == len(ROWS[kind])


@pytest.mark.parametrize("kind", ROWS)
def test_the_texts_of_the_tokens_are_the_whole_text(folder, kind):
    coder = load_coder(folder)
    for row, tokens in zip(ROWS[kind], row_tokens(folder, ROWS[kind], "Be brief.", 128, "cut"), strict=True):
        for piece in tokens.pieces:
            decoded = coder.tokenizer.decode([token.id for token in piece.tokens], skip_special_tokens=False)
            words = "".join(token.text for token in piece.tokens)
            assert unbytes(words) == decoded, row.kind


def unbytes(text: str) -> str:
    import re

    whole = re.sub(r"<0x([0-9A-F]{2})>", lambda found: chr(0xDC00 + int(found[1], 16)), text)
    raw = b"".join(bytes([ord(c) - 0xDC00]) if 0xDC00 <= ord(c) < 0xDD00 else c.encode() for c in whole)
    return raw.decode()


@pytest.mark.parametrize("template", [CHATML, STRIPS, LOOKS_INSIDE])
def test_each_token_knows_the_characters_it_came_from(folder, tmp_path, template):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(template, encoding="utf-8")
    messages = [Message.of("user", "  a  "), Message.of("assistant", "a"), *MORE]
    (row,) = row_tokens(tmp_path, [chat_row(messages, Span(1))], None, 128, "error")
    covered: dict[int, set[int]] = {}
    for token in row.pieces[-1].tokens:
        if token.place is not None:
            number, first, last = token.place
            assert token.text.strip() in messages[number].text
            assert token.labelled == (messages[number].role == "assistant")
            covered.setdefault(number, set()).update(range(first, last))
    for number, message in enumerate(messages):
        inner = {place for place, letter in enumerate(message.text) if letter != " "}
        assert covered.get(number, set()) >= (inner if template is not LOOKS_INSIDE else set())
    assert bool(covered) == (template is not LOOKS_INSIDE)


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abc .\n東é🙂<|", min_size=1, max_size=300), limit=st.integers(8, 40))
def test_pieces_of_a_text_cover_every_character_once(folder, text, limit):
    (row,) = row_tokens(folder, [text_row(text, Span(1))], None, limit, "error")
    places = [t.place for number, piece in enumerate(row.pieces) for t in piece.tokens[min(number, 1) :]]
    covered = {place for one in places if one for place in range(one[1], one[2])}
    assert covered == set(range(len(text)))
    assert all(len(piece.tokens) <= limit for piece in row.pieces)


def test_what_is_too_long_is_shown_whole_and_said(folder):
    for long_rows, word, kept in (("error", "refused", 0), ("skip", "skipped", 0), ("cut", "cut off", 128)):
        (row,) = row_tokens(folder, ROWS["long chat"][:1], None, 128, long_rows)
        assert word in row.note
        assert [piece.kept for piece in row.pieces] == [kept]
        assert len(row.pieces[0].tokens) > 128


def test_rows_of_other_trainers_are_not_guessed(folder):
    (row,) = row_tokens(folder, [Row("melody", {"notes": "a"}, Span(1))], None, 64, "error")
    assert not row.pieces
    assert "melody" in row.note


def test_it_imports_no_torch(folder):
    code = (
        "import sys; from pathlib import Path; from dlm_hf.shown import row_tokens; from dlm_core.api import *;"
        f"list(row_tokens(Path({str(folder)!r}), [text_row('a', Span(1))], None, 64, 'error'));"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
