"""Notebooks and PDF."""

from __future__ import annotations

import base64
import json

import pytest

from dlm_docs.notebook import notebook_text
from dlm_docs.pdf import join_cut_words, pdf_text
from dlm_docs.testing import cell, notebook, pdf

#: The text "The lamp of Varn …" encrypted with RC4 of 40 bits, with the password "secret", and without one.
LOCKED = base64.b64decode(
    "JVBERi0xLjMKJeLjz9MKMSAwIG9iago8PAovVHlwZSAvQ2F0YWxvZwovUGFnZXMgMiAwIFIKPj4KZW5kb2JqCjIgMCBvYmoKPDwKL1R5cGUgL1Bh"
    "Z2VzCi9Db3VudCAyCi9LaWRzIFsgMyAwIFIgNiAwIFIgXQo+PgplbmRvYmoKMyAwIG9iago8PAovVHlwZSAvUGFnZQovUGFyZW50IDIgMCBSCi9N"
    "ZWRpYUJveCBbIDAgMCA2MTIgNzkyIF0KL1Jlc291cmNlcyA8PAovRm9udCA8PAovRjEgNCAwIFIKPj4KPj4KL0NvbnRlbnRzIDUgMCBSCj4+CmVu"
    "ZG9iago0IDAgb2JqCjw8Ci9UeXBlIC9Gb250Ci9TdWJ0eXBlIC9UeXBlMQovQmFzZUZvbnQgL0hlbHZldGljYQo+PgplbmRvYmoKNSAwIG9iago8"
    "PAovTGVuZ3RoIDE4MQo+PgpzdHJlYW0K6h/RK1SNR7iJJgfcQFusk1exNeGHii4jcAQxzyt9lLJSAiPc305RmYCKnloYL4Y6vbC42OjtDGpwS0kQ"
    "fnIAyqTlwrwa998jD1hxTzoRU0fsrV/9tpmypBrE9wsMk5E2e7iRRHW+QGW12iwVypiMp6r/Ffy5BC2qDETdIZ90NAwoub72biMlXn6kwxR1DqGC"
    "NTv3w+XOl7JbEPNA6q7ozM9lYywcLrUwqltf45hZvzbo2REYHAplbmRzdHJlYW0KZW5kb2JqCjYgMCBvYmoKPDwKL1R5cGUgL1BhZ2UKL1BhcmVu"
    "dCAyIDAgUgovTWVkaWFCb3ggWyAwIDAgNjEyIDc5MiBdCi9SZXNvdXJjZXMgPDwKL0ZvbnQgPDwKL0YxIDQgMCBSCj4+Cj4+Ci9Db250ZW50cyA3"
    "IDAgUgo+PgplbmRvYmoKNyAwIG9iago8PAovTGVuZ3RoIDQ5Cj4+CnN0cmVhbQordbcEIHGXKy7xU0C2w8tGhlt9DIQKc0FswYYgkQ+xIWjlg9OK"
    "r418lfuxhsXxzz53CmVuZHN0cmVhbQplbmRvYmoKOCAwIG9iago8PAovViAxCi9SIDIKL0xlbmd0aCA0MAovUCA0Mjk0OTY3MjkyCi9GaWx0ZXIg"
    "L1N0YW5kYXJkCi9PIDw5MmZlMGY0NDU0YWQ0Yzk2NDQ2OTNmMzNjMDdjYjU0ZjU4N2RjZTFlMjY4MmZlOWVjZWE2MTA3YTFlZjYzMGRkPgovVSA8"
    "NzAzNjM0MjdiZjg3OWFiMzBkZDc3NzhjYWM2MGRiYjIyOGQxYjFhMGJhMTJhZDM3NWE1MWU0ZTA1ZjkwYTc1Mz4KPj4KZW5kb2JqCnhyZWYKMCA5"
    "CjAwMDAwMDAwMDAgNjU1MzUgZiAKMDAwMDAwMDAxNSAwMDAwMCBuIAowMDAwMDAwMDY0IDAwMDAwIG4gCjAwMDAwMDAxMjkgMDAwMDAgbiAKMDAw"
    "MDAwMDI1NyAwMDAwMCBuIAowMDAwMDAwMzI3IDAwMDAwIG4gCjAwMDAwMDA1NTkgMDAwMDAgbiAKMDAwMDAwMDY4NyAwMDAwMCBuIAowMDAwMDAw"
    "Nzg2IDAwMDAwIG4gCnRyYWlsZXIKPDwKL1NpemUgOQovUm9vdCAxIDAgUgovSUQgWyA8MGY3ODYxYjE4NGU4ZWUxODAzYmI2YWJlZTVmMWZhNjA+"
    "IDwwZjc4NjFiMTg0ZThlZTE4MDNiYjZhYmVlNWYxZmE2MD4gXQovRW5jcnlwdCA4IDAgUgo+PgpzdGFydHhyZWYKMTAwMAolJUVPRgo="
)
OPEN = base64.b64decode(
    "JVBERi0xLjMKJeLjz9MKMSAwIG9iago8PAovVHlwZSAvQ2F0YWxvZwovUGFnZXMgMiAwIFIKPj4KZW5kb2JqCjIgMCBvYmoKPDwKL1R5cGUgL1Bh"
    "Z2VzCi9Db3VudCAyCi9LaWRzIFsgMyAwIFIgNiAwIFIgXQo+PgplbmRvYmoKMyAwIG9iago8PAovVHlwZSAvUGFnZQovUGFyZW50IDIgMCBSCi9N"
    "ZWRpYUJveCBbIDAgMCA2MTIgNzkyIF0KL1Jlc291cmNlcyA8PAovRm9udCA8PAovRjEgNCAwIFIKPj4KPj4KL0NvbnRlbnRzIDUgMCBSCj4+CmVu"
    "ZG9iago0IDAgb2JqCjw8Ci9UeXBlIC9Gb250Ci9TdWJ0eXBlIC9UeXBlMQovQmFzZUZvbnQgL0hlbHZldGljYQo+PgplbmRvYmoKNSAwIG9iago8"
    "PAovTGVuZ3RoIDE4MQo+PgpzdHJlYW0KfvziWiY34cX6Mkk6mkMJTRZ6kzaWatR/ZkXvd5p825bQfxbwYmklh2PQvUGE0pdOuq7OkptFv9ZvACcz"
    "LWngLi1r9sg+sxn45Er/pbmMVLLf+suFO7auo1RbIPnMFGKgGLBTgF/h6GFdCCBVHS60iEgqvR7N8xHzGsszA6h9OgTl5b3ifytjhaq2VVmpCJ9H"
    "SNfssp8XsmaxF1LPfPfvUPMpgUcScZo6rJJLZXmQE2M9quWL1QplbmRzdHJlYW0KZW5kb2JqCjYgMCBvYmoKPDwKL1R5cGUgL1BhZ2UKL1BhcmVu"
    "dCAyIDAgUgovTWVkaWFCb3ggWyAwIDAgNjEyIDc5MiBdCi9SZXNvdXJjZXMgPDwKL0ZvbnQgPDwKL0YxIDQgMCBSCj4+Cj4+Ci9Db250ZW50cyA3"
    "IDAgUgo+PgplbmRvYmoKNyAwIG9iago8PAovTGVuZ3RoIDQ5Cj4+CnN0cmVhbQpJW7FvImcwy2gQU9SWPawlYLqGTKlqdNZEgpBYUy5NCdDyAc5V"
    "BVvokW7fzrrHUZvKCmVuZHN0cmVhbQplbmRvYmoKOCAwIG9iago8PAovViAxCi9SIDIKL0xlbmd0aCA0MAovUCA0Mjk0OTY3MjkyCi9GaWx0ZXIg"
    "L1N0YW5kYXJkCi9PIDxjOTI0MjI2ODdmYWNlZTY4NmUzNzNmMTBiNWM3ZDA0NzM4MDUzMTUyZjdlMmVlMzBlMTFjNjllYzQ0MjU3NmFiPgovVSA8"
    "YTU3NTMxYWNlNGUzNDY4MTI3OThjYjcwMjY1M2I0ZjRlOTNhZWNhOGQzYWFjYmIwOGJiMDJlZTkyYzViYzA5Yj4KPj4KZW5kb2JqCnhyZWYKMCA5"
    "CjAwMDAwMDAwMDAgNjU1MzUgZiAKMDAwMDAwMDAxNSAwMDAwMCBuIAowMDAwMDAwMDY0IDAwMDAwIG4gCjAwMDAwMDAxMjkgMDAwMDAgbiAKMDAw"
    "MDAwMDI1NyAwMDAwMCBuIAowMDAwMDAwMzI3IDAwMDAwIG4gCjAwMDAwMDA1NTkgMDAwMDAgbiAKMDAwMDAwMDY4NyAwMDAwMCBuIAowMDAwMDAw"
    "Nzg2IDAwMDAwIG4gCnRyYWlsZXIKPDwKL1NpemUgOQovUm9vdCAxIDAgUgovSUQgWyA8NDAwZTRhMDIyNjI0M2U0MmExOGNlYjZiNGVlZWYwM2I+"
    "IDw0MDBlNGEwMjI2MjQzZTQyYTE4Y2ViNmI0ZWVlZjAzYj4gXQovRW5jcnlwdCA4IDAgUgo+PgpzdGFydHhyZWYKMTAwMAolJUVPRgo="
)


def test_a_notebook_of_format_4() -> None:
    book = notebook(
        cell("markdown", ["# Tides\n", "\n", "How high?"]),
        cell("code", "print('```')\nx = 1\n", outputs=[{"output_type": "stream", "text": "never"}]),
        cell("code", ["%%bash\n", "ls"], outputs=[]),
        cell("raw", "for converters"),
        cell("code", "  \n"),
        cell("markdown", "::prose::\n"),
        kernelspec={"language": "julia"},
    )
    assert notebook_text(book) == (
        "# Tides\n\nHow high?\n\n```julia\nprint('```')\nx = 1\n```\n\n```bash\n%%bash\nls\n```\n\n::prose::"
    )


def test_a_fence_is_longer_than_any_in_the_code() -> None:
    assert notebook_text(notebook(cell("code", "```\n````"))) == "`````python\n```\n````\n`````"


def test_a_notebook_of_format_3() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Tides"]},
        {"cell_type": "code", "language": "python", "input": ["x = 1\n", "y = 2"], "outputs": []},
    ]
    book = json.dumps({"nbformat": 3, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]})
    assert notebook_text(book.encode()) == "## Tides\n\n```python\nx = 1\ny = 2\n```"


def test_an_empty_notebook_has_no_text() -> None:
    assert notebook_text(notebook()) == ""


def test_pages_in_order_with_words_put_together() -> None:
    pages = [
        ["The lamp is lit by hand and ext-", "inguished at dawn. It is a well-", "known light, well-known indeed."],
        ["Page two: the North-", "East wind."],
    ]
    text, problems = pdf_text(pdf(pages))
    assert problems == []
    assert text == (
        "The lamp is lit by hand and extinguished at dawn. It is a well-known light, well-known indeed.\n\n"
        "Page two: the North-East wind."
    )


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("light\ufffehouse", "lighthouse"),
        ("the light and the house: light\ufffehouse", "the light and the house: light-house"),
        ("lighthouse, light and house: light\ufffehouse", "lighthouse, light and house: lighthouse"),
        ("1990\ufffe1995", "1990-1995"),
        ("GPT\ufffebased", "GPTbased"),
        ("a GPT-based one, GPT\ufffebased", "a GPT-based one, GPT-based"),
        ("\ufffe", "-"),
    ],
)
def test_words_cut_at_line_ends(text: str, joined: str) -> None:
    assert join_cut_words([text]) == [joined]


def test_a_pdf_that_opens_without_a_password_is_read() -> None:
    assert "The lamp of Varn" in pdf_text(OPEN)[0]


def test_a_pdf_with_a_password_is_not() -> None:
    with pytest.raises(ValueError, match="encrypted: it needs a password"):
        pdf_text(LOCKED)


def test_pages_without_text_are_counted() -> None:
    text, problems = pdf_text(pdf([["One."], [], ["Three."]]))
    assert text == "One.\n\nThree."
    assert [problem.message for problem in problems] == ["1 of 3 pages have no text"]


def test_a_page_that_is_damaged_is_named() -> None:
    text, problems = pdf_text(pdf([["One."], ["Two."]]).replace(b"7 0 R]", b"3 0 R]"))
    assert text == "One."
    assert problems[0].message.startswith("page 2 is left out: ")


def test_many_pages() -> None:
    text, problems = pdf_text(pdf([[f"This is page {number}."] for number in range(500)]))
    assert (text.count("This is page"), problems) == (500, [])
