"""Web pages: bytes to text as browsers decode them, and the part of the page that is its text."""

from __future__ import annotations

import re
from typing import Any

from .markup import to_markdown
from .text import bounded, decode, marked

#: Bytes of a page that are read; as a tree they may take forty times as many.
MOST = 32 << 20

_META = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([\w:.-]+)""")
#: Encodings of text; a page may name others that Python has, such as `zip`.
_PLAIN = re.compile(r"(?:utf-?8|utf-?16|iso-?8859|windows|cp|koi8|gb|big5|shift|sjis|euc|latin|mac|tis)[\w:-]*", re.I)
#: What browsers take for Windows-1252, whatever the name says.
_WESTERN = frozenset({"ascii", "us-ascii", "latin1", "latin-1", "l1", "iso-8859-1", "iso8859-1", "iso_8859-1"})


def page_text(data: bytes) -> str:
    """The main text of a page as Markdown, under its title.  Raises ValueError for a page without text."""
    root = parse(page_string(data))
    text = "" if root is None else to_markdown(_main_part(root))
    if not text:
        raise ValueError("no text in it; it may be drawn by scripts")
    title = " ".join((root.findtext(".//title") or "").split())
    return f"# {title}\n\n{text}" if title and not re.search(r"^# ", text, re.MULTILINE) else text


def parse(text: str) -> Any:
    """The root of the tree; None for a page without a single element."""
    from lxml import etree

    if not text.strip():
        return None
    # Given as UTF-8, so that what the page says of its encoding is not believed a second time.
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(text.replace("\0", "\ufffd").encode(), parser)
    except etree.LxmlError as error:
        raise ValueError(f"broken HTML: {error}") from error


def page_string(data: bytes) -> str:
    """The text of a page: by its byte order mark, by what it declares, else UTF-8.  Raises ValueError."""
    if marked(bounded(data, MOST)):
        return decode(data)
    found = _META.search(data[:4096]) or _XML.search(data[:256])
    name = found[1].decode("ascii", "replace").lower() if found else "utf-8"
    if name in _WESTERN:
        name = "cp1252"
    if name.replace("-", "").startswith("utf16"):
        name = "utf-8"  # the declaration could be read, so it is not that
    if not _PLAIN.fullmatch(name):
        raise ValueError(f"its encoding {name[:40]!r} is not known")
    try:
        return decode(data, name)
    except LookupError:
        raise ValueError(f"its encoding {name[:40]!r} is not known") from None
    except ValueError as error:
        if found:
            raise ValueError(f"{error}, though the page says so") from error
        raise ValueError(f"{error}, and it does not say what else") from error


def _main_part(root: Any) -> Any:
    """What a page marks as its main part; else its body without what stands around."""
    for path in (".//main[not(@hidden)]", './/*[@role="main"]'):
        if len(found := root.xpath(path)) == 1:
            return _alone(found[0])
    articles = root.xpath(".//article[not(ancestor::article)]")
    if len(articles) == 1:
        return _alone(articles[0])
    for around in root.xpath(
        ".//*[self::header or self::footer or @role='banner' or @role='contentinfo']"
        "[not(ancestor::article or ancestor::section)]"
    ):
        _remove(around)
    body = root.find(".//body")
    return root if body is None else body


def _alone(element: Any) -> Any:
    element.tail = None
    return element


def _remove(element: Any) -> None:
    """Take an element out of the tree, but not the text after it."""
    above, before = element.getparent(), element.getprevious()
    if above is None:
        return
    if element.tail:
        if before is None:
            above.text = (above.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    element.tail = None
    above.remove(element)
