"""Word documents: what Mammoth makes of them, as Markdown."""

from __future__ import annotations

import io
import re

from .archive import Archive, check_xml, open_archive
from .html import parse
from .markup import to_markdown

#: Bytes of XML that are read; as objects they take some forty times as many.
MOST = 48 << 20
#: How Mammoth links from a note back to its place.
_BACK = re.compile(r'<a href="#(?:foot|end)note-ref-[^"]*">↑</a>')


def docx_text(data: bytes) -> str:
    """Headings, paragraphs, lists, tables and notes; insertions that are tracked are in, deletions out.

    Raises ValueError for what is no such document, is damaged, or unpacks to too much.
    """
    with open_archive(data, MOST) as archive:
        _check(archive)
    import mammoth

    try:
        options = {"convert_image": mammoth.images.img_element(lambda image: {}), "id_prefix": ""}
        html = mammoth.convert_to_html(io.BytesIO(data), **options).value
    except RecursionError:
        raise ValueError("nested too deep") from None
    except Exception as error:  # whatever a library meets in XML that is no Word document
        raise ValueError(f"damaged: {type(error).__name__}: {error}") from error
    root = parse(_BACK.sub("", html))
    return "" if root is None else to_markdown(root)


def _check(archive: Archive) -> None:
    if "[Content_Types].xml" not in archive.names:
        raise ValueError("no Word document: [Content_Types].xml is missing")
    for name in sorted(archive.names):
        if name.endswith((".xml", ".rels")):
            check_xml(archive.read(name), name)
    if b"macroEnabled" in archive.read("[Content_Types].xml"):
        raise ValueError("a document with macros; save it as .docx without them")
