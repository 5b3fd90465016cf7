"""A stranger's reader that fails by a fault of its own: one error at the source, whatever it raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import Document, Problem, Section, SectionType, SourceReader, text_row
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


WORDS = DOCUMENT.replace("The ferry sails at noon.", "::words::\nnoon: when the ferry sails")


def with_words(rows: Callable[[Section], Any], line: int | None = None) -> Around:
    class Words(SectionType):
        name = "words"

        def rows(self, section: Section, doc: Document) -> Any:
            return rows(section)

    class Lists(SourceReader):
        name = "lists"
        suffixes = frozenset({".list"})

        def read(self, data: bytes, name: str) -> Iterator[Any]:
            yield ("words", data.decode(), {}, *([line] if line else []))

    made = files({"texts/a.list": "first\nsecond\nthird"})
    return Around(made, {"words": lambda: plugin(dlm_section_types=[Words()], dlm_source_readers=[Lists()])})


def second(section: Section) -> Iterator[Problem]:
    yield Problem(section.at(1, 2, 3), "not so", "otherwise")


def refuses(_section: Section) -> Iterator[Problem]:
    raise ValueError("none of it")


@pytest.mark.parametrize(
    ("rows", "line", "told"),
    [
        (second, 1, "error[DLM0225]: not so\n --> texts/a.list:2:2\n"),
        (second, None, "error[DLM0225]: a.list: not so\n --> notes.dlm:7:13\n"),
        (refuses, 1, "error[DLM0225]: none of it\n --> texts/a.list:1:1\n"),
        (refuses, None, "error[DLM0225]: a.list: none of it\n --> notes.dlm:7:13\n"),
    ],
)
def test_a_place_in_a_file_is_one_that_the_reader_told(
    rows: Any, line: int | None, told: str, check: Callable[..., tuple[int, str]]
) -> None:
    code, text = check("dlm check notes.dlm", with_words(rows, line))
    assert (code, told in text) == (3, True), text


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (lambda section: {}["none"], "KeyError: 'none'"),
        (lambda section: ["text"], "TypeError: it gave 'text', not a row or a problem with its place"),
        (lambda section: [text_row("text", None)], "TypeError: it gave Row("),
        (lambda section: None, "TypeError: 'NoneType' object is not iterable"),
    ],
)
def test_a_section_type_that_fails_is_one_error_at_its_section(
    rows: Any, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(say.__globals__["AROUND"], "here", with_words(rows))
    document = WORDS.replace("training:\n  sources:\n    - path: texts\n", "")
    said = say("here", "dlm check notes.dlm", document, tmp_path)
    first = f"error[DLM0306]: the section type `words` of plugin words (dlm-words 1.0) failed: {what}"
    assert first in said.text
    assert " --> notes.dlm:6:1\n" in plain(said.text, tmp_path)
    assert (said.code, said.text.count("error[")) == (5, 1), said.text
