"""A stranger's reader that fails by a fault of its own: one error at the source, whatever it raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import SourceReader
from tests.explanations.surroundings import Around, files, plain, plugin, say

DOCUMENT = """---
dlm_id: 01K9ABCDEFGHJKMNPQRSTVWXYZ
dlm_version: 15
base_model: tiny
training:
  sources:
    - path: texts
---
The ferry sails at noon.
"""


def endless(data: bytes) -> Iterator[Any]:
    yield from endless(data)


def misses(_data: bytes) -> Iterator[Any]:
    yield "prose", "One good section.", {}
    yield {}["no such key"]


def stops(_data: bytes) -> Iterator[Any]:
    raise SystemExit(3)


def gives(value: Any) -> Callable[[bytes], Iterator[Any]]:
    return lambda data: iter([value])


def returns_nothing(_data: bytes) -> Any:
    return None


def around(read: Callable[[bytes], Any], sniff: Callable[[bytes], bool] = lambda head: False) -> Around:
    class Odd(SourceReader):
        name = "odd"
        suffixes = frozenset({".odd"})

        def sniff(self, head: bytes) -> bool:
            return sniff(head)

        def read(self, data: bytes, name: str) -> Any:
            return read(data)

    prepare = files({"texts/a.odd": "A", "texts/b.odd": "B", "texts/c.txt": "Plain text.", "texts/d": "?"})
    return Around(prepare, {"oddities": lambda: plugin(dlm_source_readers=[Odd()])})


def sniffs(_head: bytes) -> bool:
    raise AttributeError("no such thing")


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    def run(command: str, made: Around) -> tuple[int, str]:
        monkeypatch.setitem(say.__globals__["AROUND"], "here", made)
        said = say("here", command, DOCUMENT, tmp_path)
        return said.code, plain(said.text, tmp_path)

    return run


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (misses, "KeyError: 'no such key'"),
        (endless, "RecursionError: maximum recursion depth exceeded"),
        (stops, "SystemExit: 3"),
        (returns_nothing, "TypeError: 'NoneType' object is not iterable"),
        (gives(("prose", "Text.")), "TypeError: it gave ('prose', 'Text.'), not (section type, content, attributes)"),
        (gives("Text."), "TypeError: it gave 'Text.', not"),
        (gives(("prose", b"Text.", {})), "TypeError: it gave ('prose', b'Text.', {}), not"),
        (gives(("prose", "Text.", {}, "7")), "TypeError: it gave ('prose', 'Text.', {}, '7'), not"),
    ],
)
@pytest.mark.parametrize("command", ["dlm check notes.dlm", "dlm run notes.dlm"])
def test_it_is_one_error_that_names_file_reader_and_plugin(
    command: str, read: Any, what: str, check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, text = check(command, around(read))
    first = f"error[DLM0306]: the reader `odd` of plugin oddities (dlm-oddities 1.0) failed on a.odd: {what}"
    assert first in text
    assert " --> notes.dlm:7:13\n" in text
    assert (code, text.count("error["), text.count("a.odd"), "Traceback" in text) == (5, 1, 1, False), text
    assert not (tmp_path / "home" / "store").exists()


def test_a_sniff_that_fails_is_one_too(check: Callable[..., tuple[int, str]]) -> None:
    code, text = check("dlm check notes.dlm", around(gives(("prose", "Text.", {})), sniffs))
    assert (code, "failed on d: AttributeError: no such thing" in text) == (5, True), text


def test_without_the_plugin_the_rest_is_read(check: Callable[..., tuple[int, str]]) -> None:
    made = around(misses)
    code, text = check("dlm check notes.dlm", Around(made.prepare))
    assert (code, "error[" in text) == (0, False), text
