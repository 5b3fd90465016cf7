"""Rows as token ids with a mask of what is learned.  Imports no torch.

One rule decides how a chat is encoded: what precedes an answer has exactly the ids that the model will see when it is
asked, and the answer has exactly the ids it is to write, its stop token included.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlm_core.api import Message, Row, RowSize, RunFailedError

from . import encoded
from .coder import Coder, load_coder
from .encoded import Encoded, EncodedChat, EncodedText
from .example import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tokenizers import Encoding

    from dlm_core.api.jobs import LongRows
    from dlm_core.cache import RowCache

__all__ = [
    "Coder",
    "Example",
    "Turn",
    "all_examples",
    "chat_examples",
    "chat_turns",
    "encode_chat",
    "encode_plain",
    "encoded_rows",
    "examples",
    "fitting",
    "kept",
    "load_coder",
    "row_sizes",
    "text_examples",
    "turns",
]


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of a conversation: the text that asks for it and the text recorded after that, with the ids of both.

    `messages` counts the conversation's messages up to the answer; `start` is where the answer starts in the record.
    """

    prompt: str
    prompt_ids: list[int]
    answer: str
    answer_ids: list[int]
    messages: int
    start: int


# --- rows to examples ---------------------------------------------------------------------------------------------


def examples(
    coder: Coder, row: Row, system_prompt: str | None, sequence_len: int, long_rows: LongRows = "error", index: int = 0
) -> list[Example]:
    """One row of kind `text` or `chat` as one or more examples of at most `sequence_len` tokens.

    A long text is split without losing a token.  An over-long chat raises RunFailedError, or is cut at its end, or
    skipped, as `long_rows` says.
    """
    if row.kind == "text":
        return text_examples(coder, row, sequence_len, index)
    found = chat_examples(coder, row, system_prompt, index)
    if long_rows == "error" and (long := [one for one in found if len(one.ids) > sequence_len]):
        raise RunFailedError(_too_long(long[0], sequence_len), _TOO_LONG_HINT)
    return _shortened(found, sequence_len, long_rows)


def kept(example: Example, sequence_len: int, long_rows: LongRows) -> int:
    """How many tokens of a chat example are trained on: all that fit, a cut example's first, or none.

    What shows media is never cut: a part of a file is another file.
    """
    if len(example.ids) <= sequence_len or example.media:
        return len(example.ids) if len(example.ids) <= sequence_len else 0
    return sequence_len if long_rows == "cut" and any(example.learned[:sequence_len]) else 0


def all_examples(
    coder: Coder,
    rows: Sequence[Row],
    system_prompt: str | None,
    sequence_len: int,
    long_rows: LongRows = "error",
    cache: RowCache | None = None,
) -> list[Example]:
    """The examples of all rows in order.  Raises one RunFailedError that names every over-long row.

    What `cache` keeps is not encoded again, and what is encoded is kept.
    """
    found: list[Example] = []
    long: list[str] = []
    each = encoded_rows(coder, rows, system_prompt, fitting(coder, sequence_len), cache)
    for index, (row, one) in enumerate(zip(rows, each, strict=True)):
        if isinstance(one, EncodedText):
            found += _text_pieces(coder, row, one, sequence_len, index)
        elif isinstance(one, EncodedChat):
            made = chat_examples(coder, row, system_prompt, index) if row.media else _chat_parts(row, one, index)
            if long_rows == "error":
                long += [_too_long(part, sequence_len) for part in made if len(part.ids) > sequence_len]
            found += _shortened(made, sequence_len, long_rows)
    if long:
        raise RunFailedError("\n".join(long), _TOO_LONG_HINT)
    return found


def row_sizes(
    coder: Coder, rows: Sequence[Row], system_prompt: str | None, sequence_len: int, cache: RowCache | None = None
) -> list[RowSize]:
    """The size of each row as the trainer would see it.  An over-long chat is reported in its full length."""
    each = encoded_rows(coder, rows, system_prompt, fitting(coder, sequence_len), cache)
    return [_size(coder, one, sequence_len) for one in each]


def encoded_rows(
    coder: Coder, rows: Sequence[Row], system_prompt: str | None, fits: int, cache: RowCache | None = None
) -> Iterator[Encoded]:
    """Each row before any length is applied, in order; texts of more than `fits` ids know where they may be split."""
    return encoded.encoded_rows(
        coder, rows, system_prompt, fits, lambda row: encode_chat(coder, row, system_prompt), cache
    )


def fitting(coder: Coder, sequence_len: int) -> int:
    """The most ids of a running text that is not split: the rest is for what opens and closes it."""
    return sequence_len - 1 - len(_opening(coder))


def chat_examples(coder: Coder, row: Row, system_prompt: str | None, index: int = 0) -> list[Example]:
    """A chat row of any length.  Its answers are learned, each with its stop token.

    A conversation is one example when every question, asked on its own, would begin with the ids so far; where a
    template rewrites earlier turns, a further example starts.
    """
    return [example for example, _ in chat_turns(coder, row, system_prompt, index)]


def chat_turns(coder: Coder, row: Row, system_prompt: str | None, index: int = 0) -> list[tuple[Example, Turn]]:
    """The examples of a chat row, each with the last turn in it: the example's ids are that turn's, in order."""
    found: list[tuple[Example, Turn]] = []
    ids: list[int] = []
    learned: list[bool] = []
    last: Turn | None = None
    for turn in _turns_at(coder, row, system_prompt):
        if last and turn.prompt_ids[: len(ids)] != ids:
            found.append((_chat_example(row, ids, learned, index, last), last))
            ids, learned = [], []
        learned += [False] * (len(turn.prompt_ids) - len(ids)) + [True] * len(turn.answer_ids)
        ids, last = [*turn.prompt_ids, *turn.answer_ids], turn
    if last is None:
        raise RunFailedError(f"line {row.span.line}: this conversation has no answer to learn")
    return [*found, (_chat_example(row, ids, learned, index, last), last)]


def _chat_example(row: Row, ids: Sequence[int], learned: Sequence[bool], index: int, last: Turn) -> Example:
    media = tuple(part for message in row.messages[: last.messages] for part in message.media)
    return Example(tuple(ids), tuple(learned), row.span.line, row.key, index, media)


def turns(coder: Coder, messages: Sequence[Message], system_prompt: str | None) -> list[Turn]:
    """For each assistant message: what asks for it, and what it is answered with, stop token last.

    Raises RunFailedError when the template writes no stop token after an answer or an answer contains one.
    """
    return [
        _turn(coder, messages[: place + 1], system_prompt)
        for place, message in enumerate(messages)
        if message.role == "assistant"
    ]


def encode_chat(coder: Coder, row: Row, system_prompt: str | None) -> EncodedChat:
    """A chat row of any length, for the cache."""
    made = chat_examples(coder, row, system_prompt)
    return EncodedChat(tuple(encoded.chat_part(coder, one.ids, one.learned) for one in made))


def text_examples(coder: Coder, row: Row, sequence_len: int, index: int = 0) -> list[Example]:
    """Running text, learned whole and closed by the end-of-sequence token, in pieces of at most `sequence_len` ids.

    Every token but the text's very first is learned exactly once: a piece opens, unlearned, with the base's
    beginning-of-sequence token where its tokenizer adds one, else with the last token of the piece before.
    Marks such as `<|im_end|>` inside the text are ordinary characters.
    """
    (one,) = encoded.encode_texts(coder, [row.data["text"]], fitting(coder, sequence_len))
    return _text_pieces(coder, row, one, sequence_len, index)


def _text_pieces(coder: Coder, row: Row, text: EncodedText, sequence_len: int, index: int) -> list[Example]:
    line, key, code = row.span.line, row.key, text.ids.typecode
    opening, ids = array(code, _opening(coder)), text.ids + array(code, (coder.eos_id,))
    if len(opening) + len(ids) <= sequence_len:
        whole = opening + ids
        return [Example.of_runs(whole, (1, len(whole) - 1), line, key, index)]
    found = []
    for start, end in _ranges(coder, text, sequence_len):
        piece = (opening or ids[max(0, start - 1) : start]) + ids[start:end]
        found.append(Example.of_runs(piece, (1, len(piece) - 1), line, key, index))
    return found


def _ranges(coder: Coder, text: EncodedText, sequence_len: int) -> list[tuple[int, int]]:
    """First and last id of each piece, the closing token counted, without what opens the piece."""
    opens, size = len(_opening(coder)), len(text.ids) + 1
    found, start = [], 0
    while start < size:
        end = min(size, start + sequence_len - (opens or min(start, 1)))
        if end < size:
            end = _break_before(text, start, end)
        found.append((start, end))
        start = end
    return found


def _break_before(text: EncodedText, first: int, last: int) -> int:
    """Where to end a piece of ids `first`..`last`: after a paragraph, a line or a word of its second half."""
    if text.breaks is None:
        raise ValueError("a text that is to be split needs its breaks")
    for kind in (encoded.PARAGRAPH, encoded.LINE, encoded.WORD):
        place = text.breaks.rfind(kind, (first + last) // 2 + 1, last + 1)
        if place >= 0:
            return place
    return last


def _opening(coder: Coder) -> tuple[int, ...]:
    return (coder.bos_id,) if coder.adds_bos and coder.bos_id is not None else ()


def _chat_parts(row: Row, chat: EncodedChat, index: int) -> list[Example]:
    line, key = row.span.line, row.key
    return [Example.of_runs(ids, runs, line, key, index) for ids, runs in chat.parts]


def _shortened(made: Sequence[Example], sequence_len: int, long_rows: LongRows) -> list[Example]:
    """The examples of a chat row that are trained on, cut where they are to be."""
    sized = [(one, kept(one, sequence_len, long_rows)) for one in made]
    return [one if size == len(one.ids) else _cut(one, size) for one, size in sized if size]


def _size(coder: Coder, one: Encoded, sequence_len: int) -> RowSize:
    if isinstance(one, EncodedText):
        ranges, opens = _ranges(coder, one, sequence_len), len(_opening(coder))
        sizes = [end - start + (opens or min(start, 1)) for start, end in ranges]
        return RowSize(sum(sizes), sum(sizes) - len(sizes), len(sizes))
    if isinstance(one, EncodedChat):
        labelled = sum(sum(runs[1::2]) for _, runs in one.parts)
        return RowSize(max(len(ids) for ids, _ in one.parts), labelled, len(one.parts))
    return RowSize(one.tokens, 0)


_TOO_LONG_HINT = "raise training.sequence_len, shorten these rows, or pass --long-rows cut or --long-rows skip"


def _too_long(example: Example, limit: int) -> str:
    return f"line {example.line}: this conversation has {len(example.ids):,} tokens, {limit:,} fit"


def _cut(example: Example, limit: int) -> Example:
    return Example(example.ids[:limit], example.learned[:limit], example.line, example.key, example.row)


def _turns_at(coder: Coder, row: Row, system_prompt: str | None) -> list[Turn]:
    try:
        return turns(coder, row.messages, system_prompt)
    except RunFailedError as error:
        raise RunFailedError(f"line {row.span.line}: {error.message}", error.hint) from error


def _turn(coder: Coder, messages: Sequence[Message], system_prompt: str | None) -> Turn:
    """The turn that ends with the last message."""
    prompt = coder.render(messages[:-1], system_prompt, answer_next=True)
    record = coder.render(messages, system_prompt, answer_next=False)
    spans = coder.answer_spans(messages, system_prompt)
    start, end = _answer_span(prompt, record, spans, messages[-1].text)
    ids = coder.encode(record[start:end])
    stop = next((place for place, one in enumerate(ids) if one in coder.stop_ids), None)
    if stop is None:
        raise RunFailedError(
            "the base's chat template writes no stop token after an answer, so the model would never learn to stop",
            "the end-of-sequence tokens of generation_config.json and the chat template must belong together",
        )
    if any(one in coder.stop_ids for one in coder.encode(messages[-1].text)):
        raise RunFailedError(
            "an answer contains the text of the base's stop token and would end there",
            "write that token in another way, for instance with a space inside",
        )
    return Turn(prompt, coder.encode(prompt), record[start:end], ids[: stop + 1], len(messages), start)


def _answer_span(prompt: str, record: str, spans: Sequence[tuple[int, int]], content: str) -> tuple[int, int]:
    """Where the record has what the template writes after the prompt, in characters.

    Some templates ask with a header that they do not record (an opened thought, say); the answer is then the
    generation block, or all from the message's content on.
    """
    if record.startswith(prompt):
        start = len(prompt)
    elif spans:
        start = spans[-1][0]
    else:
        start = record.rindex(content.strip())
    return start, spans[-1][1] if spans and spans[-1][1] > start else len(record)


def encode_plain(coder: Coder, text: str) -> Encoding:
    """Running text encoded: what looks like a special token is ordinary characters."""
    (found,) = encoded.encode_plain(coder, [text])
    return found
