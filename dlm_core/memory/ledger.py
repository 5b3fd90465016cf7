"""What a version knows of every row: one compressed, self-checking object for each version, written with it.

A segment is zlib-compressed JSON lines: a head, one line for each row that the version or one before it knows, and
the contents of the rows it was the first to train.  Its name is the SHA-256 of its bytes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from ..api import Row
from ..store import Store, Version
from ..store.replay import read_segment
from .delta import Delta, Known, identity, question_of

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Ledger:
    """The rows that a version knows: those of its document in their order, then those that are gone."""

    version: int
    known: tuple[Known, ...]


def read_ledger(version: Version) -> Ledger | None:
    """What a version knows; None for a version made before there were ledgers.  Raises DamagedStoreError."""
    if not version.record.replay:
        return None
    lines = _lines(version)
    head = next(lines)
    return Ledger(version.number, tuple(Known(*next(lines)) for _ in range(head["known"])))


def read_rows(store: Store, wanted: Mapping[str, int]) -> dict[str, Row]:
    """Contents of rows by their identity; `wanted` maps each to the version that was the first to train it."""
    found: dict[str, Row] = {}
    for number in sorted(set(wanted.values())):
        version = store.version(number)
        lines = _lines(version)
        head = next(lines)
        for place, line in enumerate(lines):
            if place >= head["known"] and wanted.get(line["id"]) == number:
                found[line["id"]] = Row.from_json(line["row"])
    return found


def next_ledger(
    before: Ledger | None, delta: Delta, number: int, train: Sequence[Row], validation: Sequence[Row]
) -> Ledger:
    """What the version `number` knows when it is made of these rows."""
    earlier = {entry.id: entry for entry in before.known} if before else {}
    known: dict[str, Known] = {}
    for row in train:
        one = identity(row)
        if one in known:
            known[one] = Known(one, "trained", known[one].question, known[one].first, known[one].copies + 1)
        else:
            first = earlier[one].first if one in earlier else 0
            known[one] = Known(one, "trained", question_of(row), first or number)
    for row in validation:
        one = identity(row)
        first = earlier[one].first if one in earlier else 0
        known.setdefault(one, Known(one, "validation", question_of(row), first))
    asked = {entry.question for entry in known.values() if entry.question}
    taken = set(delta.replaced.values())
    for one, entry in earlier.items():
        if one not in known and entry.first:
            replaced = one in taken or entry.question in asked or entry.side == "replaced"
            known[one] = Known(one, "replaced" if replaced else "gone", entry.question, entry.first)
    return Ledger(number, tuple(known.values()))


def write_segment(ledger: Ledger, train: Iterable[Row]) -> bytes:
    """The segment of a version: its ledger, and the contents of the rows it was the first to train, each once."""
    ours = {entry.id for entry in ledger.known if entry.first == ledger.version}
    contents = {one: row for row in train if (one := identity(row)) in ours}
    head = {"segment": FORMAT, "version": ledger.version, "known": len(ledger.known), "rows": len(contents)}
    packer, packed = zlib.compressobj(), bytearray()
    lines: Iterator[Any] = iter([head])
    for line in (*lines, *(list(astuple(entry)) for entry in ledger.known)):
        packed += packer.compress(_encode(line))
    for one, row in contents.items():
        packed += packer.compress(_encode({"id": one, "row": row.to_json()}))
    return bytes(packed + packer.flush())


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lines(version: Version) -> Iterator[Any]:
    """The lines of a version's segment, after its bytes were held against its name."""
    data = read_segment(version.root, version.record)
    unpacker, rest = zlib.decompressobj(), b""
    for start in range(0, len(data), 1 << 16):
        *whole, rest = (rest + unpacker.decompress(data[start : start + (1 << 16)])).split(b"\n")
        yield from (json.loads(line) for line in whole)
