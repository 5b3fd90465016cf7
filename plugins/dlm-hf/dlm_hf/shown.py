"""Rows token by token, for people: the trainer's own examples, with the text and the place of every token.

The ids and masks are those that `tokens` makes for training; here each is only given back its characters.
Imports no torch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dlm_core.api import RowTokens, Token, TokenPiece

from .tokens import chat_turns, encode_plain, kept, load_coder, text_examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dlm_core.api import Row
    from dlm_core.api.jobs import LongRows

    from .modalities import Senses
    from .tokens import Coder, Example, Turn

Places = list[tuple[int, int]]
"""For each token, where its characters begin and end in some text, counted from 0."""

Span = tuple[int, int, int, int]
"""Where one of the row's texts begins and ends in a rendered text, its number, and how many characters it lacks there
at its start."""


def row_tokens(
    folder: Path,
    rows: Sequence[Row],
    system_prompt: str | None,
    sequence_len: int,
    long_rows: LongRows,
    senses: Senses | None = None,
) -> Iterator[RowTokens]:
    """Each row as it is trained on.  Raises RunFailedError for a row that the base's template cannot write."""
    coder = load_coder(folder, senses)
    for row in rows:
        if row.kind == "text":
            yield _text_row(coder, row, sequence_len)
        elif row.kind == "chat":
            yield _chat_row(coder, row, system_prompt, sequence_len, long_rows)
        elif row.choices:
            chosen, rejected = (_chat_row(coder, one, system_prompt, sequence_len, long_rows) for one in row.choices)
            notes = dict.fromkeys(filter(None, (chosen.note, rejected.note)))
            yield RowTokens((*chosen.pieces, *map(_of_third_text, rejected.pieces)), "; ".join(notes))
        else:
            yield RowTokens((), f"rows of kind {row.kind} belong to another trainer, whose tokens cannot be shown here")


def _of_third_text(piece: TokenPiece) -> TokenPiece:
    """A piece whose answer is the third of the row's texts, not the second."""
    moved = (
        replace(token, place=(2, *token.place[1:])) if token.place and token.place[0] == 1 else token
        for token in piece.tokens
    )
    return TokenPiece(tuple(moved), piece.kept)


def _text_row(coder: Coder, row: Row, sequence_len: int) -> RowTokens:
    text = row.data["text"]
    places: Places = encode_plain(coder, text).offsets
    pieces, start = [], 0
    opens = 1 if coder.adds_bos and coder.bos_id is not None else 0
    for example in text_examples(coder, row, sequence_len):
        lead = opens or min(start, 1)
        stop = start + len(example.ids) - lead
        # A piece opens with the token before it, or with the tokenizer's own opening token, which has no place.
        here = [*(places[start - 1 : start] if lead and not opens else [(0, 0)] * lead), *places[start:stop]]
        here += [(len(text), len(text))] * (len(example.ids) - len(here))
        spans = [(0, len(text), 0, 0)]
        pieces.append(TokenPiece(_tokens(coder, example, text, here, spans), len(example.ids)))
        start = stop
    note = f"split into {len(pieces)} pieces of at most {sequence_len} tokens" if len(pieces) > 1 else ""
    return RowTokens(tuple(pieces), note)


def _chat_row(coder: Coder, row: Row, system_prompt: str | None, sequence_len: int, long_rows: LongRows) -> RowTokens:
    pieces, notes = [], []
    for example, turn in chat_turns(coder, row, system_prompt):
        text = turn.prompt + turn.answer
        places: Places = coder.tokenizer.encode(turn.prompt, add_special_tokens=False).offsets
        shift = len(turn.prompt)
        answer = coder.tokenizer.encode(turn.answer, add_special_tokens=False).offsets
        places += [(first + shift, last + shift) for first, last in answer[: len(turn.answer_ids)]]
        fit = kept(example, sequence_len, long_rows)
        tokens = _tokens(coder, example, text, places, _message_spans(coder, row, turn, system_prompt))
        pieces.append(TokenPiece(tokens, fit))
        if fit < len(tokens):
            notes.append(_shortened(len(tokens), fit, sequence_len, long_rows))
    return RowTokens(tuple(pieces), "; ".join(notes))


def _shortened(size: int, fit: int, sequence_len: int, long_rows: LongRows) -> str:
    what = f"{size:,} tokens, {sequence_len:,} fit"
    if fit:
        return f"{what}: the last {size - fit:,} are cut off, as asked"
    return f"{what}: skipped" if long_rows != "error" else f"{what}: refused, nothing would be trained"


def _message_spans(coder: Coder, row: Row, turn: Turn, system_prompt: str | None) -> list[Span]:
    """Where the row's messages lie in the turn's prompt and answer."""
    messages = row.messages[: turn.messages]
    spans = list(enumerate(coder.message_spans(messages[:-1], system_prompt, answer_next=True)))
    if record := coder.message_spans(messages, system_prompt, answer_next=False):
        shift = len(turn.prompt) - turn.start
        spans.append((len(messages) - 1, (record[-1][0] + shift, record[-1][1] + shift)))
    texts = [message.text for message in messages]
    return [(start, stop, number, len(texts[number]) - len(texts[number].lstrip())) for number, (start, stop) in spans]


def _tokens(coder: Coder, example: Example, text: str, places: Places, spans: Sequence[Span]) -> tuple[Token, ...]:
    texts = _texts(coder, example, text, places)
    found = zip(example.ids, texts, example.learned, places, strict=True)
    return tuple(Token(one, word, learned, _place(place, spans)) for one, word, learned, place in found)


def _texts(coder: Coder, example: Example, text: str, places: Places) -> list[str]:
    """What each token stands for; blanks that a tokenizer leaves out of a token's place belong to that token."""
    found: list[str] = []
    reached: int | None = None
    for index, (token, (first, last)) in enumerate(zip(example.ids, places, strict=True)):
        beside = [*places[max(0, index - 1) : index], *places[index + 1 : index + 2]]
        divided = any(first < other_last and other_first < last for other_first, other_last in beside)
        if divided or first == last:
            found.append(_spelled(coder.tokenizer.id_to_token(token) or "", byte_wise=divided))
        else:
            found.append(text[first if reached is None else min(first, reached) : last])
        reached = last if first < last else reached
    return found


def _place(place: tuple[int, int], spans: Sequence[Span]) -> tuple[int, int, int] | None:
    first, last = place
    for start, stop, number, lacking in spans:
        if first < stop and last > start and first < last:
            return number, max(first, start) - start + lacking, min(last, stop) - start + lacking
    return None


def _spelled(token: str, byte_wise: bool) -> str:
    """A token of a byte-level vocabulary as `<0xE6><0x9D>`; anything else as it is."""
    table = _byte_letters()
    if not byte_wise or not all(letter in table for letter in token):
        return token
    return "".join(f"<0x{table[letter]:02X}>" for letter in token)


def _byte_letters() -> dict[str, int]:
    """The letters that byte-level vocabularies write for bytes (GPT-2's `bytes_to_unicode`)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + index): byte for index, byte in enumerate(others)}
