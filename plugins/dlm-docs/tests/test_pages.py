"""Web pages, Word documents and e-books as Markdown."""

from __future__ import annotations

import pytest

from dlm_core.api import Problem
from dlm_docs.docx import docx_text
from dlm_docs.epub import chapters
from dlm_docs.html import page_text
from dlm_docs.testing import (
    chapter,
    docx,
    encryption,
    epub,
    epub_parts,
    note,
    paragraph,
    run,
    word_table,
    zipped,
)

PAGE = """<!doctype html><html><head><title>The  Harbour &amp; the sea</title><style>p {}</style></head><body>
<nav>Menu</nav><header>Site</header><script>alert("no")</script>
<p>Intro<br>second line &ndash; caf&eacute; &#8364;, <b>bold</b> <a href="x">link</a>.</p>
<h2>Depths <small>all</small></h2>
<ul><li>one<ul><li>inner</li></ul></li><li><p>two</p><p>more</p></li></ul><ol start=3><li>c<li>d</ol>
<table><thead><tr><th>Name<th>Depth</thead><tr><td rowspan=2>Bay|x<td>12</tr><tr><td>13<br>m</table>
<div class="highlight"><pre><code class="language-python hl">def f():
    return "```"

    # &lt;b&gt;</code></pre></div>
<blockquote><p>A</p><p>B</p></blockquote><p>Use <code>ls -l</code> and <code>a`b</code>.</p>
<dl><dt>Term<dd>What it is</dl><p hidden>no</p><div style="display: none">no</div><footer>No</footer> end
</body></html>"""

MARKDOWN = """# The Harbour & the sea

Intro
second line – café €, bold link.

## Depths all

- one
  - inner
- two

  more

3. c
4. d

| Name | Depth |
| --- | --- |
| Bay\\|x | 12 |
| Bay\\|x | 13 m |

```python
def f():
    return "```"

    # <b>
```

> A
>
> B

Use `ls -l` and `` a`b ``.

Term

: What it is

end"""


def test_a_page_as_markdown() -> None:
    assert page_text(PAGE.encode()) == MARKDOWN


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<div>Around</div><main><header>Kept</header><p>Text</p></main><p>After", "Kept\n\nText"),
        ("<div>Around</div><div role=main>Text</div>", "Text"),
        ("<div>Around</div><article><h1>T</h1>Text<footer>by Oda</footer></article>", "# T\n\nText\n\nby Oda"),
        ("<article>One</article><article>Two</article>", "One\n\nTwo"),
        ("<main>One</main><main>Two</main>", "One\n\nTwo"),
        ("<form><p>An old site is all one form", "An old site is all one form"),
        ("a<script>x</script> b<!-- c --> d", "a b d"),
        ("<header>No</header> yes", "yes"),
        ("<table><tr><td><p>All in<p>one cell</table>", "All in\n\none cell"),
        ("<table><tr><td>left<td><ul><li>a</ul></table>", "left\n\n- a"),
        ("<table><tr><td colspan=2>wide<tr><td>a<td>b</table>", "| wide |  |\n| --- | --- |\n| a | b |"),
        ("<table><caption>Depths</caption><tr><td>a<td>b</table>", "Depths\n\n| a | b |\n| --- | --- |"),
        ("<ul><li><ul><li>deep</ul></ul>", "- - deep"),
        ("<ul><div><li>a</div></ul>", "- a"),
        ("<pre>one\n  two</pre>", "```\none\n  two\n```"),
        ("<pre><div>one</div><div>two</div></pre>", "```\none\ntwo\n```"),
        ('<pre class="brush: Ruby">x</pre>', "```ruby\nx\n```"),
        ('<pre class="sourceCode haskell"><code>x</code></pre>', "```haskell\nx\n```"),
        ("<p>a<span>b</span>c <i> d </i> e", "abc d e"),
        ("<p>a&nbsp;&nbsp;b\n\n c", "a b c"),
        ("<my-card>own <my-word>elements</my-word></my-card>", "own elements"),
        ("<li>no list", "- no list"),
        ("<td>no table", "no table"),
        ("<p>::instruction::<p>### A", "::instruction::\n\n### A"),
        ("<details><summary>More</summary>inside</details>", "More\n\ninside"),
    ],
)
def test_parts_of_a_page(body: str, text: str) -> None:
    assert page_text(body.encode()) == text


@pytest.mark.parametrize(
    "data",
    [
        "<p>Größe – €".encode(),
        b"\xef\xbb\xbf" + "<p>Größe – €".encode(),
        "\ufeff<p>Größe – €".encode("utf-16-le"),
        "\ufeff<meta charset=latin1><p>Größe – €".encode("utf-16-be"),
        "<meta charset='windows-1252'><p>Größe – €".encode("cp1252"),
        "<meta charset=iso-8859-1><p>Größe – €".encode("cp1252"),
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15"><p>Größe - €'.encode("iso-8859-15"),
        '<?xml version="1.0" encoding="utf-8"?><html><body><p>Größe – €</p></body></html>'.encode(),
        "<meta charset=utf-16><p>Größe – €".encode(),
    ],
)
def test_encodings(data: bytes) -> None:
    assert page_text(data).replace("-", "–") == "Größe – €"


def test_a_title_is_not_said_twice() -> None:
    assert page_text(b"<title>Site: Harbour</title><h1>Harbour</h1>x") == "# Harbour\n\nx"


BODY = (
    paragraph(run("The harbour"), "Heading1")
    + paragraph(
        run("It is ")
        + f'<w:ins w:id="1" w:author="x">{run("deep")}</w:ins><w:del w:id="2" w:author="x"><w:r><w:delText>shallow'
        + f"</w:delText></w:r></w:del>{run(' here.')}"
        + '<w:r><w:footnoteReference w:id="5"/></w:r>'
    )
    + paragraph(run("Depths"), "Heading2")
    + "".join(paragraph(run(text), level=level) for text, level in [("one", 0), ("inner", 1), ("two", 0)])
    + "".join(paragraph(run(text), level=0, number=2) for text in ("first", "second"))
    + word_table([["Name", "Depth"], ["Bay | cove", "12"]])
    + paragraph(run("::instruction::"))
)


def test_a_word_document() -> None:
    assert docx_text(docx(BODY, note(5, "At low tide."))) == (
        "# The harbour\n\nIt is deep here.[1]\n\n## Depths\n\n- one\n  - inner\n- two\n\n1. first\n2. second\n\n"
        "| Name | Depth |\n| --- | --- |\n| Bay \\| cove | 12 |\n\n::instruction::\n\n1. At low tide."
    )


def test_an_empty_word_document() -> None:
    assert docx_text(docx("")) == ""


def test_an_e_book_in_the_order_of_its_spine() -> None:
    pages = {"a%20b.xhtml": "", "two.xhtml": chapter("Two", "Größe &amp; more"), "left.xhtml": chapter("Out", "no")}
    parts = epub_parts(pages, ["two.xhtml", "a%20b.xhtml"])
    parts["OEBPS/a b.xhtml"] = chapter("One", "First")
    assert list(chapters(zipped(parts))) == ["# Two\n\nGröße & more", "# One\n\nFirst"]


def test_scrambled_fonts_are_no_protection() -> None:
    parts = epub_parts({"a.xhtml": chapter("One", "First")})
    parts["META-INF/encryption.xml"] = encryption("http://www.idpf.org/2008/embedding")
    assert list(chapters(zipped(parts))) == ["# One\n\nFirst"]


def test_a_chapter_that_cannot_be_read_is_named() -> None:
    book = epub({"a.xhtml": chapter("One", "First"), "b.xhtml": "<p>x</p>" + "<div>" * 2000})
    first, problem = chapters(book)
    assert first == "# One\n\nFirst"
    assert isinstance(problem, Problem)
    assert problem.message == "the chapter OEBPS/b.xhtml is left out: its elements are nested deeper than 1000"
