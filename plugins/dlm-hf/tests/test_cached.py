"""Kept rows: the same examples as fresh ones, made once, after any change and any kill."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_core.api import Message, Precision, Row, Span, chat_row, text_row
from dlm_core.cache import CacheSettings, RowCache
from dlm_hf import encoded, tokens
from dlm_hf.engine import HfEngine
from dlm_hf.example import Example, runs_of
from dlm_hf.testing import make_small_base, make_small_tokenizer
from dlm_hf.tokens import Coder, all_examples, encoded_rows, load_coder

PROSE = "The lamp turns once in twelve seconds.\n\nIts light is seen from nine miles away, they say.\nSo it is. "


def chat(*texts: str, system: str = "") -> Row:
    opening = [Message.of("system", system)] if system else []
    roles = ("user", "assistant")
    return chat_row([*opening, *(Message.of(roles[at % 2], text) for at, text in enumerate(texts))], Span(7))


ROWS = [
    text_row("Short.", Span(1)),
    text_row(PROSE * 12, Span(3)),
    text_row("one<|im_end|>two", Span(5)),
    chat("Who?", "Me."),
    chat("What?", "That.", "And then?", "Nothing more."),
    chat("Long?", PROSE * 3, system="Be long."),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("base")
    make_small_tokenizer(path)
    return path


@pytest.fixture(scope="module")
def coder(folder: Path) -> Coder:
    return load_coder(folder)


@pytest.fixture
def cache(tmp_path: Path) -> RowCache:
    return RowCache(CacheSettings(), tmp_path / "tokens.sqlite", pytest.fail)


def fresh(rows: list[Row]) -> list[Row]:
    return [replace(row) for row in rows]


@pytest.mark.parametrize("adds_bos", [False, True])
@pytest.mark.parametrize("lengths", [(2048, 64, 9, 2048), (9, 2048, 30), (64, 64)])
def test_kept_rows_are_the_same_examples_at_every_length(
    coder: Coder, cache: RowCache, lengths: tuple[int, ...], adds_bos: bool
) -> None:
    coder = replace(coder, adds_bos=adds_bos, bos_id=coder.eos_id)
    for length in lengths:
        for prompt in (None, "Be brief."):
            plain = all_examples(coder, fresh(ROWS), prompt, length, "cut")
            assert all_examples(coder, fresh(ROWS), prompt, length, "cut", cache) == plain
            sizes = tokens.row_sizes(coder, fresh(ROWS), prompt, length)
            assert tokens.row_sizes(coder, fresh(ROWS), prompt, length, cache) == sizes
    cache.hits = cache.misses = 0
    all_examples(coder, fresh(ROWS), None, lengths[-1], "cut", cache)
    assert (cache.hits, cache.misses) == (len(ROWS), 0)


def test_what_changes_the_ids_is_in_the_key(coder: Coder, cache: RowCache) -> None:
    template = coder.chat_template.replace("assistant", "keeper")
    other = [
        replace(coder, chat_template=template),
        replace(coder, sha256="sha256 other"),
        replace(coder, stop_ids=frozenset({*coder.stop_ids, 5})),
        replace(coder, special_tokens={**coder.special_tokens, "x_token": "y"}),
    ]
    all_examples(coder, ROWS, None, 2048, cache=cache)
    for changed in other:
        before = cache.misses
        found = all_examples(changed, ROWS, None, 2048, cache=cache)
        assert cache.misses > before
        assert found == all_examples(changed, ROWS, None, 2048)
    assert all_examples(other[0], ROWS, None, 2048) != all_examples(coder, ROWS, None, 2048)


def test_a_base_with_more_tokens_has_another_key(folder: Path, tmp_path: Path, coder: Coder) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert load_coder(tmp_path).sha256 == coder.sha256
    text = (tmp_path / "tokenizer_config.json").read_text()
    added = '{"added_tokens_decoder": {"9999": {"content": "<new>", "special": true}}, '
    (tmp_path / "tokenizer_config.json").write_text(text.replace("{", added, 1))
    assert load_coder(tmp_path).sha256 != coder.sha256


def test_plan_training_and_exam_encode_each_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    texts, chats = encoded.encode_plain, tokens.encode_chat

    def count_texts(coder: Coder, some: list[str]) -> object:
        made.extend(some)
        return texts(coder, some)

    def count_chats(coder: Coder, row: Row, prompt: str | None) -> object:
        made.append(row.hash)
        return chats(coder, row, prompt)

    monkeypatch.setattr(encoded, "encode_plain", count_texts)
    monkeypatch.setattr(tokens, "encode_chat", count_chats)
    from dlm_core.api import BaseModel

    engine = HfEngine()
    folder = make_small_base(tmp_path / "base")
    base = engine.locate(BaseModel("small", str(folder)), fetch=False)
    base = replace(base, cache=RowCache(CacheSettings(), tmp_path / "tokens.sqlite", pytest.fail))
    coder = load_coder(folder)

    def run() -> list[float]:
        engine.measure(base, ROWS, None, 512)
        all_examples(coder, ROWS, None, 512, "error", base.cache)
        with engine.open(base, None, Precision("fp32", "none", "test"), None) as model:
            return [score.loss_sum for _ in range(2) for score in model.score(ROWS, None)]

    first = run()
    assert len(made) == len(ROWS)
    assert run() == first
    assert len(made) == len(ROWS), "the second run encodes nothing"
    base = replace(base, cache=None)
    assert run() == first
    assert len(made) == 5 * len(ROWS), "without a cache every stage encodes every row"


arrays = st.lists(st.integers(0, 2**16 - 1), max_size=40)


@given(arrays, st.booleans())
def test_texts_survive_as_bytes(ids: list[int], is_split: bool) -> None:
    breaks = bytes(one % 4 for one in ids) if is_split else None
    one = encoded.EncodedText(encoded.array("H", ids), breaks)
    fits = len(ids) - 1 if is_split and ids else len(ids)
    back = encoded.unpacked(encoded.packed(one), fits)
    assert isinstance(back, encoded.EncodedText)
    assert (list(back.ids), back.breaks) == (ids, breaks if is_split and ids else None)


@given(st.lists(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.booleans()), min_size=1, max_size=30), min_size=1))
def test_conversations_survive_as_bytes(parts: list[list[tuple[int, bool]]]) -> None:
    made = tuple(
        (encoded.array("I", [one for one, _ in part]), runs_of([learned for _, learned in part])) for part in parts
    )
    back = encoded.unpacked(encoded.packed(encoded.EncodedChat(made)), 10)
    assert isinstance(back, encoded.EncodedChat)
    told = [Example.of_runs(ids, runs, 0, "", 0) for ids, runs in back.parts]
    assert [list(zip(one.ids, one.learned, strict=True)) for one in told] == parts


@settings(max_examples=400)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"C\x02" + rest) | st.just(b"T\x02"))
def test_other_bytes_are_refused_or_read_and_never_crash(value: bytes) -> None:
    with contextlib.suppress(ValueError):
        encoded.unpacked(value, 100)


def test_an_example_is_a_value() -> None:
    one, same = (
        Example((5, 70_000, 7), (False, True, True), 3, "k"),
        Example([5, 70_000, 7], [False, True, True], 3, "k"),
    )
    assert (one, hash(one)) == (same, hash(same))
    assert one != Example((5, 70_000, 7), (False, False, True), 3, "k")
    assert (one.ids, one.learned, one.length, one.labelled) == ((5, 70_000, 7), (False, True, True), 3, 2)
    assert Example((1,), (True,)).learned == (True,)


# --- kills --------------------------------------------------------------------------------------------------------

FILLER = """
import os, signal, sys
from pathlib import Path
from dlm_core.cache import CacheSettings, RowCache
from dlm_hf.tokens import encoded_rows, load_coder
sys.path.insert(0, str(Path(sys.argv[3]).parent))
from test_cached import rows_of
coder = load_coder(Path(sys.argv[1]))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        cache = RowCache(CacheSettings(), Path(sys.argv[2]), lambda text: print(text, file=sys.stderr))
        rows = rows_of(int(line))
        print("pid", os.getpid(), flush=True)
        for start in range(0, len(rows), 8):
            list(encoded_rows(coder, rows[start:start + 8], None, 64, cache))
            print("kept", flush=True)
        os._exit(0)
"""
ROUNDS, ROWS_A_ROUND = 20, 240


def rows_of(round_number: int) -> list[Row]:
    lines = (f"Ship {number} of fleet {round_number}. " for number in range(ROWS_A_ROUND))
    return [text_row(line * (3 + at % 9), Span(1)) if at % 4 else chat(line, line) for at, line in enumerate(lines)]


def test_a_cache_killed_at_any_moment_holds_only_true_rows_and_each_once(
    folder: Path, coder: Coder, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.sqlite"
    filler = subprocess.Popen(
        [sys.executable, "-c", FILLER, str(folder), str(file), __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )
    assert filler.stdin
    assert filler.stdout
    draw = random.Random(4)
    for number in range(ROUNDS):
        filler.stdin.write(f"{number}\n")
        filler.stdin.flush()
        pid = next(line for line in filler.stdout if line.startswith("pid")).split()[1]
        for _ in range(draw.randrange(ROWS_A_ROUND // 8 - 2)):
            filler.stdout.readline()
        time.sleep(draw.uniform(0, 0.004))
        os.kill(int(pid), signal.SIGKILL)
    _, errors = filler.communicate(timeout=30)
    assert errors == ""
    cache = RowCache(CacheSettings(), file, pytest.fail)
    found = []
    for number in range(ROUNDS):
        rows = rows_of(number)
        before = cache.hits
        kept = list(encoded_rows(coder, rows, None, 64, cache))
        found.append(cache.hits - before)
        assert kept == list(encoded_rows(coder, fresh(rows), None, 64))
    assert sum(0 < count < ROWS_A_ROUND for count in found) >= ROUNDS // 2, found
    database = sqlite3.connect(file)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert database.execute("SELECT count(*), count(DISTINCT row) FROM rows").fetchone() == (ROUNDS * ROWS_A_ROUND,) * 2
    database.close()
