"""Rows as token ids before any length is applied: what the cache keeps of a row, and making it.  Imports no torch.

Sequence length and the rule for long rows are applied to what is kept, so they are no part of its key.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING

import tokenizers

from .example import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tokenizers import Encoding

    from dlm_core.api import Row
    from dlm_core.cache import RowCache

    from .coder import Coder

#: Raised when the same row and tokenizer would be encoded otherwise than before.
VERSION = 1

_AT_ONCE = 4000  # rows read from the cache, or encoded and written to it, together
_CHARACTERS_AT_ONCE = 1_000_000
PARAGRAPH, LINE, WORD = 3, 2, 1


@dataclass(frozen=True, slots=True)
class EncodedText:
    """The ids of a running text without what opens and closes it.

    `breaks` has a byte for each id: whether a word (1), a line (2) or a paragraph (3) starts there; None for a text
    that was not to be split.
    """

    ids: array[int]
    breaks: bytes | None = None


@dataclass(frozen=True, slots=True)
class EncodedChat:
    """The examples of a conversation, each with its ids and how many of them are unlearned, learned, unlearned …"""

    parts: tuple[tuple[array[int], tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class EncodedCount:
    """A row of another plugin's kind, of which only the number of tokens is wanted."""

    tokens: int


Encoded = EncodedText | EncodedChat | EncodedCount


def encoded_rows(
    coder: Coder,
    rows: Sequence[Row],
    system_prompt: str | None,
    fits: int,
    encode_chat: Callable[[Row], EncodedChat],
    cache: RowCache | None = None,
) -> Iterator[Encoded]:
    """Each row encoded, in order, from the cache where it is kept.  Texts of more than `fits` ids come with breaks."""
    for start in range(0, len(rows), _AT_ONCE):
        chunk = rows[start : start + _AT_ONCE]
        sorts: dict[str, dict[str, Row]] = {}
        names = [row.hash for row in chunk]
        for name, row in zip(names, chunk, strict=True):
            sort = row.kind if row.kind in ("text", "chat") else "other"
            sorts.setdefault("media" if row.media else sort, {})[name] = row
        found: dict[str, Encoded] = {}
        for kind, mine in sorts.items():
            if kind == "media":  # what stands for a file is not known from the row alone
                found |= ((name, encode_chat(row)) for name, row in mine.items())
                continue
            found |= _some(coder, mine, kind, system_prompt, fits, encode_chat, cache)
        yield from map(found.__getitem__, names)


def context(coder: Coder, kind: str, system_prompt: str | None) -> Mapping[str, str]:
    """Everything beside the row that decides its ids and mask; texts (`kind` is `text`) know of no template."""
    parts = {
        "rows": kind,
        "tokenizer": coder.sha256,
        "code": f"{VERSION}, tokenizers {tokenizers.__version__}",
    }
    if kind == "chat":
        parts |= {
            "mask rule": "answers with their stop tokens",
            "chat template": _digest(coder.chat_template, *map(repr, sorted(coder.special_tokens.items()))),
            "stop tokens": " ".join(map(str, sorted(coder.stop_ids))),
            "system prompt": _digest(system_prompt) if system_prompt else "none",
        }
    return parts


def _some(
    coder: Coder,
    rows: Mapping[str, Row],
    kind: str,
    system_prompt: str | None,
    fits: int,
    encode_chat: Callable[[Row], EncodedChat],
    cache: RowCache | None,
) -> dict[str, Encoded]:
    """Rows of one kind by their hash."""
    key = context(coder, kind, system_prompt)
    found: dict[str, Encoded] = cache.read(key, rows, lambda value: unpacked(value, fits)) if cache else {}
    missing = {name: row for name, row in rows.items() if name not in found}
    if not missing:
        return found
    made: dict[str, Encoded] = {}
    if kind == "text":
        made |= zip(missing, encode_texts(coder, [row.data["text"] for row in missing.values()], fits), strict=True)
    elif kind == "chat":
        made |= ((name, encode_chat(row)) for name, row in missing.items())
    else:
        made |= ((name, _count(coder, row)) for name, row in missing.items())
    if cache:
        cache.write(key, {name: packed(one) for name, one in made.items()})
    return found | made


# --- encoding -----------------------------------------------------------------------------------------------------


def encode_plain(coder: Coder, texts: Sequence[str]) -> list[Encoding]:
    """Running texts encoded, on all cores: what looks like a special token is ordinary characters."""
    tokenizer = coder.tokenizer
    tokenizer.encode_special_tokens = True
    try:
        found: list[Encoding] = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return found
    finally:
        tokenizer.encode_special_tokens = False


def encode_texts(coder: Coder, texts: Sequence[str], fits: int) -> Iterator[EncodedText]:
    """Running texts as ids; those of more than `fits` ids with their breaks."""
    code = _code(coder)
    for some in _batches(texts):
        for text, encoding in zip(some, encode_plain(coder, some), strict=True):
            ids = array(code, encoding.ids)
            yield EncodedText(ids, _breaks(text, encoding) if len(ids) > fits else None)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts of about `_CHARACTERS_AT_ONCE` characters together: encodings take a hundred times their memory."""
    some: list[str] = []
    for text in texts:
        some.append(text)
        if sum(map(len, some)) > _CHARACTERS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def chat_part(coder: Coder, ids: Sequence[int], learned: Sequence[bool]) -> tuple[array[int], tuple[int, ...]]:
    """One example of a conversation, compactly."""
    return array(_code(coder), ids), runs_of(learned)


def _count(coder: Coder, row: Row) -> EncodedCount:
    return EncodedCount(sum(len(coder.encode(value)) for value in row.data.values() if isinstance(value, str)))


def _breaks(text: str, encoding: Encoding) -> bytes:
    def kind(start: int) -> int:
        if text[max(0, start - 2) : start] == "\n\n":
            return PARAGRAPH
        if text[max(0, start - 1) : start] == "\n":
            return LINE
        return WORD if text[max(0, start - 1) : start] == " " or text[start : start + 1] == " " else 0

    return bytes(kind(start) for start, _ in encoding.offsets)


def _code(coder: Coder) -> str:
    """The type of array that holds every id of the vocabulary."""
    return "H" if coder.vocabulary_size <= 2**16 else "I"


def _digest(*texts: str) -> str:
    return "sha256 " + sha256("\0".join(texts).encode()).hexdigest()[:16]


# --- bytes --------------------------------------------------------------------------------------------------------
#
# Numbers are little-endian; sizes and runs have four bytes, ids two or four.
#     text   T, bytes of an id, number of ids, ids, then the breaks compressed with zlib, if any
#     chat   C, bytes of an id, number of parts; for each part the numbers of ids and runs, runs, ids
#     count  N, number of tokens


_HEAD = Struct("<cBI")
_CODES = {2: "H", 4: "I"}
_UNKNOWN = "it is not what this version writes"


def packed(encoded: Encoded) -> bytes:
    """An encoded row as bytes."""
    if isinstance(encoded, EncodedText):
        breaks = b"" if encoded.breaks is None else zlib.compress(encoded.breaks, 1)
        return b"T%c%b%b%b" % (encoded.ids.itemsize, _number(len(encoded.ids)), _little(encoded.ids), breaks)
    if isinstance(encoded, EncodedCount):
        return b"N" + _number(encoded.tokens)
    size = encoded.parts[0][0].itemsize
    parts = [
        b"%b%b%b%b" % (_number(len(ids)), _number(len(runs)), _little(array("I", runs)), _little(ids))
        for ids, runs in encoded.parts
    ]
    return b"C%c%b%b" % (size, _number(len(parts)), b"".join(parts))


def unpacked(kept: bytes | memoryview, fits: int) -> Encoded:
    """The row of `packed`.  Raises ValueError for other bytes, and for a text without breaks that would need them."""
    value = bytes(kept)
    if len(value) == 5 and value[:1] == b"N":
        return EncodedCount(int.from_bytes(value[1:], "little"))
    if len(value) < _HEAD.size:
        raise ValueError(_UNKNOWN)
    kind, size, count = _HEAD.unpack_from(value)
    if size not in _CODES or kind not in (b"T", b"C"):
        raise ValueError(_UNKNOWN)
    return _text(value, size, count, fits) if kind == b"T" else _chat(value, size, count)


def _text(value: bytes, size: int, count: int, fits: int) -> EncodedText:
    end = _HEAD.size + count * size
    ids = _numbers(_CODES[size], value[_HEAD.size : end], count)
    if count <= fits:
        return EncodedText(ids)
    if len(value) == end:
        raise ValueError("it was kept whole; the sequence length splits it now")
    try:
        breaks = zlib.decompress(value[end:])
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(breaks) != count:
        raise ValueError(f"{len(breaks)} breaks of {count} ids")
    return EncodedText(ids, breaks)


def _chat(value: bytes, size: int, count: int) -> EncodedChat:
    place, parts = _HEAD.size, []
    for _ in range(count):
        if place >= len(value):
            raise ValueError("its length is wrong")
        ids, runs = (int.from_bytes(value[place + at : place + at + 4], "little") for at in (0, 4))
        start = place + 8 + 4 * runs
        place = start + ids * size
        lengths = tuple(_numbers("I", value[start - 4 * runs : start], runs))
        if sum(lengths) != ids:
            raise ValueError(f"a mask of {sum(lengths)} for {ids} ids")
        parts.append((_numbers(_CODES[size], value[start:place], ids), lengths))
    if not parts or place != len(value):
        raise ValueError("its length is wrong")
    return EncodedChat(tuple(parts))


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _numbers(code: str, data: bytes, count: int) -> array[int]:
    values = array(code)
    if len(data) != count * values.itemsize:
        raise ValueError("its length is wrong")
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
