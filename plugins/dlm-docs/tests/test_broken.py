"""Broken and hostile files: each is skipped with one reason, quickly and in little memory."""

from __future__ import annotations

import contextlib
import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from dlm_docs import plugin
from dlm_docs.readers import Found
from dlm_docs.testing import (
    cell,
    chapter,
    docx,
    docx_parts,
    encryption,
    epub,
    epub_parts,
    notebook,
    paragraph,
    pdf,
    run,
    zipped,
)

BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
BOOK = {"a.xhtml": chapter("One", "First")}
GOOD = "question,answer\nWho?,Oda\n"


def read(data: bytes, name: str) -> list[Found]:
    """As core does it: by suffix, case-blind."""
    suffix = f".{name.rpartition('.')[2].lower()}"
    reader = next(one for one in plugin.dlm_source_readers() if suffix in one.suffixes)
    return list(reader.read(data, name))


def word(name: str, data: str | bytes | None) -> bytes:
    parts = {**docx_parts(paragraph(run("x"))), name: data}
    return zipped({name: data for name, data in parts.items() if data is not None})


def book(name: str, data: str | bytes | None) -> bytes:
    parts = {**epub_parts(BOOK), name: data}
    return zipped({name: data for name, data in parts.items() if data is not None})


def bomb() -> bytes:
    """A Word document of half a megabyte that unpacks to half a gigabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in docx_parts("").items():
            archive.writestr(name, data)
        with archive.open("word/bomb.xml", "w", force_zip64=True) as part:
            for _ in range(512):
                part.write(b" " * (1 << 20))
    return out.getvalue()


def locked_zip() -> bytes:
    """A Word document whose parts say that they are encrypted."""
    data = bytearray(docx(""))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


def flipped(data: bytes, name: bytes) -> bytes:
    """An archive with one byte changed in the middle of a part."""
    at = data.index(name) + len(name) + 20
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


BROKEN: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    # notebooks
    "empty": ("a.ipynb", b"", "broken JSON"),
    "cut short": ("a.ipynb", notebook(cell("code", "x"))[:-9], "broken JSON"),
    "a list": ("a.ipynb", b"[]", "no notebook: its JSON is no object"),
    "no cells": ("a.ipynb", b'{"nbformat": 4}', "no notebook: it has no cells"),
    "cells of text": ("a.ipynb", b'{"cells": ["x"]}', "no notebook: its cells are no list of objects"),
    "cells in a sheet": ("a.ipynb", b'{"worksheets": [{"cells": 7}]}', "no notebook: its cells are no list"),
    "source of a number": ("a.ipynb", b'{"cells": [{"cell_type": "code", "source": 7}]}', "the source of a cell is no"),
    "half a character": ("a.ipynb", b'{"cells": [{"cell_type": "code", "source": "\\ud800"}]}', "half a character"),
    "deep": ("a.ipynb", b'{"cells":' + b"[" * 200_000, "nested too deep"),
    "latin-1": ("a.ipynb", b'{"cells": ["\xe9"]}', "not UTF-8: byte 12"),
    # pages
    "no page": ("a.html", b"", "no text in it"),
    "scripts alone": ("a.html", b"<script>x</script>", "no text in it; it may be drawn by scripts"),
    "navigation alone": ("a.html", b"<nav>x</nav>", "no text in it"),
    "not utf-8": ("a.htm", b"<p>Gr\xf6\xdfe", "not UTF-8: byte 5, and it does not say what else"),
    "declared wrong": ("a.html", b"<meta charset=utf-8><p>Gr\xf6\xdfe", "not UTF-8: byte 25, though the page says so"),
    "a codec of bytes": ("a.html", b"<meta charset=zip><p>x", "its encoding 'zip' is not known"),
    "a codec of escapes": (
        "a.html",
        b"<meta charset=unicode_escape><p>x",
        "its encoding 'unicode_escape' is not known",
    ),
    "no such codec": ("a.html", b"<meta charset=cp99999><p>x", "its encoding 'cp99999' is not known"),
    "deep page": ("a.html", b"<div>" * 200_000 + b"x", "nested deeper than 1000"),
    "deep quotes": ("a.html", b"<blockquote>" * 5000 + b"x", "nested deeper than 1000"),
    "endless spans": ("a.html", b"<table>" + b"<tr><td colspan=100 rowspan=1000>x" * 20_000, "more than 1000000 cells"),
    # PDF
    "no pdf": ("a.pdf", b"", "damaged"),
    "not a pdf": ("a.pdf", b"MZ" + bytes(500), "damaged"),
    "head alone": ("a.pdf", b"%PDF-1.7\n", "damaged"),
    "half a pdf": ("a.pdf", pdf([["x"]])[:200], "damaged"),
    "scanned": ("a.pdf", pdf([[], []]), "no text, it looks scanned"),
    "no pages": ("a.pdf", pdf([]), "damaged"),
    # Word
    "no word": ("a.docx", b"", "damaged"),
    "text as word": ("a.docx", b"Hello", "damaged: File is not a zip file"),
    "half a word": ("a.docx", docx(paragraph(run("x")))[:300], "damaged: File is not a zip file"),
    "a password": ("a.docx", b"\xd0\xcf\x11\xe0" + bytes(600), "encrypted, or of an older format"),
    "another zip": ("a.docx", zipped({"a.txt": "x"}), "no Word document: [Content_Types].xml is missing"),
    "no document part": ("a.docx", word("word/document.xml", None), "damaged"),
    "broken xml": ("a.docx", word("word/document.xml", "<w:document"), "its part word/document.xml is broken XML"),
    "entities": (
        "a.docx",
        word("word/document.xml", BOMB + "<x>&b;</x>"),
        "its part word/document.xml declares entities",
    ),
    "outer entity": (
        "a.docx",
        word("x.xml", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'),
        "declares",
    ),
    "macros": ("a.docm", docx(paragraph(run("x"))), "a document with macros; save it as .docx"),
    "macros inside": (
        "a.docx",
        zipped(docx_parts("", main="application/vnd.ms-word.document.macroEnabled.main+xml")),
        "macros",
    ),
    "zip bomb": ("a.docx", bomb, "it unpacks to more than 50331648 bytes"),
    "too many elements": (
        "a.docx",
        word("word/document.xml", "<a>" + "<b/>" * 500_000 + "</a>"),
        "than 500000 elements",
    ),
    "locked parts": ("a.docx", locked_zip, "cannot be unpacked"),
    "flipped byte": (
        "a.docx",
        flipped(docx(paragraph(run("x" * 90))), b"word/numbering.xml"),
        "its part word/numbering.xml",
    ),
    "many parts": ("a.docx", lambda: zipped({f"{n}.txt": "" for n in range(20_001)}), "it has more than 20000 parts"),
    "deep word": ("a.docx", docx("<w:sdt><w:sdtContent>" * 3000 + "</w:sdtContent></w:sdt>" * 3000), "nested too deep"),
    # e-books
    "no book": ("a.epub", b"PK", "damaged"),
    "no container": ("a.epub", book("META-INF/container.xml", None), "its part META-INF/container.xml is missing"),
    "no package": ("a.epub", book("META-INF/container.xml", "<container/>"), "names no package"),
    "package elsewhere": ("a.epub", book("OEBPS/book.opf", None), "its part OEBPS/book.opf is missing"),
    "no spine": ("a.epub", epub({}), "its spine names no chapter"),
    "no chapter": ("a.epub", book("OEBPS/a.xhtml", None), "its part OEBPS/a.xhtml is missing"),
    "empty chapters": ("a.epub", epub({"a.xhtml": "<p> </p>"}), "no text in it"),
    "out of the book": ("a.epub", zipped({**epub_parts({"../../../etc/passwd": "x"}), "x": ""}), "is missing"),
    "drm": (
        "a.epub",
        book("META-INF/encryption.xml", encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")),
        "by DRM",
    ),
    "entities of a book": ("a.epub", book("OEBPS/book.opf", BOMB + "<x>&b;</x>"), "declares entities"),
    # tables
    "no table": ("a.csv", b"", "it is empty"),
    "blank table": ("a.csv", b"\n\n", "it is empty"),
    "other columns": (
        "a.csv",
        b"name,depth\nBay,12\n",
        "no column is recognised among 'name', 'depth'; name them question",
    ),
    "one column": ("a.csv", b"question\nWho?\n", "no column is recognised among 'question'"),
    "a column twice": ("a.csv", b"question,question,answer\n1,2,3\n", "two columns are called 'question'"),
    "old Excel": ("a.csv", GOOD.replace("Oda", "Größe").encode("cp1252"), "not UTF-8: byte 23"),
    "half utf-16": ("a.csv", GOOD.encode("utf-16")[:-1], "not utf-16-le"),
    "comma for tab": ("a.tsv", GOOD.encode(), "no column is recognised among 'question,answer'"),
    # JSON
    "no example": ("a.jsonl", b'{"x": 1}\n{"x": 2}\n', "no example in it can be read; line 1: "),
    "no json": ("a.jsonl", b"Hello\nyou\n", "no example in it can be read; line 1: this line is left out: broken JSON"),
    "lines of latin-1": ("a.jsonl", b'{"q": "\xe9"}', "not UTF-8: byte 7"),
    "list cut short": ("a.json", b'[{"q": "a", "a": "b"}, {"q"', "broken JSON in what begins on line 1"),
    "list without commas": (
        "a.json",
        b'[{"q": "a", "a": "b"}\n{"q": "c"}]',
        "a comma or the end of the list is missing",
    ),
    "deep list": ("a.json", b'[{"q": "a", "a": ' + b"[" * 200_000, "nested too deep"),
    "bytes as json": ("a.json", b"{}\0", "not text: it holds a NUL byte"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_skipped_with_one_reason(case: str) -> None:
    name, made, reason = BROKEN[case]
    data = made() if callable(made) else made
    tracemalloc.start()
    before = time.process_time()
    with pytest.raises(ValueError) as caught:
        read(data, name)
    seconds, memory = time.process_time() - before, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert seconds < 10
    assert memory < 200 << 20


@pytest.mark.parametrize(
    "unit",
    [
        "<p>x",
        "<b>",
        "<a ",
        "<!--",
        "<![CDATA[",
        "&amp",
        "<",
        "</p",
        "<li>",
        "<td>x",
        "<br>",
        "&#0;",
        "<pre>\n",
        "<code>`",
    ],
)
def test_hostile_markup_takes_no_longer_than_its_length(unit: str) -> None:
    def seconds(many: int) -> float:
        before = time.process_time()
        with contextlib.suppress(ValueError):
            read((unit * many).encode(), "a.html")
        return time.process_time() - before

    seconds(100)
    assert seconds(80_000) < 40 * max(seconds(8_000), 0.02)


@pytest.mark.parametrize("suffix", ["ipynb", "html", "pdf", "docx", "epub", "csv", "jsonl", "json"])
def test_a_good_file_cut_or_changed_anywhere_raises_nothing_else(suffix: str) -> None:
    good = {
        "ipynb": notebook(cell("markdown", "# T"), cell("code", ["x = 1\n", "y"])),
        "html": "<title>T</title><main><p>Größe<ul><li>x</ul><table><tr><td>a<td>b</table></main>".encode(),
        "pdf": pdf([["One."], ["Two."]]),
        "docx": docx(paragraph(run("x"), "Heading1") + paragraph(run("one"), level=0)),
        "epub": epub(BOOK),
        "csv": GOOD.encode(),
        "jsonl": b'{"question": "Who?", "answer": "Oda"}\n' * 2,
        "json": b'[{"question": "Who?", "answer": "Oda"}]',
    }[suffix]
    step = max(1, len(good) // 150)
    for at in range(0, len(good), step):
        for data in (good[:at], good[:at] + b"\0\xff<&" + good[at + 4 :], good[:at] + good[at + step :]):
            with contextlib.suppress(ValueError):
                read(data, f"a.{suffix}")
