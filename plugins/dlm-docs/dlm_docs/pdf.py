"""PDF: the text of each page as PDFium gives it, words that were cut at line ends put together."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from dlm_core.api import Problem, Span

#: PDFium's mark for a hyphen at the end of a line.
_CUT = "\ufffe"
_WORD = re.compile(r"\w+(?:-\w+)*")
_CUT_WORD = re.compile(r"([\w-]*)\ufffe(\w*)")
_REASONS = {"Incorrect password": "encrypted: it needs a password", "Unsupported security": "encrypted"}


def pdf_text(data: bytes) -> tuple[str, list[Problem]]:
    """The text, page by page, and what is wrong with single pages.

    Raises ValueError for what is no PDF, is encrypted, or has no text.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        reason = next((text for said, text in _REASONS.items() if said in str(error)), f"damaged: {error}")
        raise ValueError(reason) from error
    pages, problems = list[str](), list[Problem]()
    with closing(document):
        for number in range(len(document)):
            try:
                pages.append(_page(document, number))
            except pypdfium2.PdfiumError as error:
                message = f"page {number + 1} is left out: {error}"
                problems.append(Problem(Span(1), message, None, "warning", "DOC0001"))
    text = "\n\n".join(join_cut_words([page for page in pages if page]))
    if not text:
        raise ValueError(problems[0].message if problems else "no text, it looks scanned")
    if empty := sum(not page for page in pages):
        message = f"{empty} of {len(pages) + len(problems)} pages have no text"
        problems.append(Problem(Span(1), message, None, "warning", "DOC0001"))
    return text, problems


def _page(document: Any, number: int) -> str:
    with closing(document[number]) as page, closing(page.get_textpage()) as text_page:
        text = text_page.get_text_range(errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def join_cut_words(pages: list[str]) -> list[str]:
    """The pages with words put together that were cut at the end of a line.

    The rest of the document decides: a hyphen stays in a word that it writes so elsewhere and never without, and
    between two words that stand alone elsewhere; and where what follows does not go on in small letters.
    """
    if not any(_CUT in page for page in pages):
        return pages
    known = {word.lower() for page in pages for word in _WORD.findall(_CUT_WORD.sub(" ", page))}

    def join(found: re.Match[str]) -> str:
        before, after = found[1], found[2]
        whole, hyphenated = before + after, f"{before}-{after}"
        if whole.lower() in known:
            return whole
        two_words = hyphenated.lower() in known or (before.lower() in known and after.lower() in known)
        return hyphenated if two_words or not (before.isalpha() and after.islower()) else whole

    return [_CUT_WORD.sub(join, page) for page in pages]
