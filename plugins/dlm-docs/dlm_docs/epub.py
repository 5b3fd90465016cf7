"""E-books: the chapters of an EPUB in the order of its spine."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from dlm_core.api import Problem, Span

from .archive import Archive, check_xml, open_archive
from .html import page_string, parse
from .markup import to_markdown

#: Ways to scramble fonts, which is no protection of the text.
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def chapters(data: bytes) -> Iterator[str | Problem]:
    """The chapters with text as Markdown; a Problem for one that cannot be read.

    Raises ValueError for what is no EPUB, is protected, or has no text.
    """
    with open_archive(data) as archive:
        package = _package(archive)
        _check_protection(archive)
        given, wrong = 0, list[Problem]()
        for path in _spine(archive, package):
            try:
                root = parse(page_string(archive.read(path)))
                text = "" if root is None else to_markdown(_body(root))
            except ValueError as error:
                wrong.append(Problem(Span(1), f"the chapter {path} is left out: {error}", None, "warning", "DOC0001"))
                continue
            if text:
                given += 1
                yield text
    if not given:
        raise ValueError(wrong[0].message if wrong else "no text in it")
    yield from wrong


def _package(archive: Archive) -> str:
    """The path of the package file, which lists what is in the book."""
    container = _xml(archive, "META-INF/container.xml")
    found = next((one.get("full-path") for one in container.iter() if _local(one) == "rootfile"), None)
    if not found:
        raise ValueError("no EPUB: META-INF/container.xml names no package")
    return found


def _check_protection(archive: Archive) -> None:
    if "META-INF/encryption.xml" not in archive.names:
        return
    methods = (one.get("Algorithm") for one in _xml(archive, "META-INF/encryption.xml").iter())
    if any(method and method not in _FONTS for method in methods):
        raise ValueError("protected by DRM")


def _spine(archive: Archive, package: str) -> list[str]:
    """The paths of the chapters, without the table of contents."""
    root = _xml(archive, package)
    items = {one.get("id"): one for one in root.iter() if _local(one) == "item"}
    order = [items.get(one.get("idref")) for one in root.iter() if _local(one) == "itemref"]
    folder, found = posixpath.dirname(package), list[str]()
    for item in order:
        if item is None or "nav" in (item.get("properties") or "").split():
            continue
        path = posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        if path not in found and "html" in (item.get("media-type") or "html"):
            found.append(path)
    if not found:
        raise ValueError("no EPUB: its spine names no chapter")
    return found


def _xml(archive: Archive, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(check_xml(archive.read(name), name))


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _body(root: Any) -> Any:
    body = root.find(".//body")
    return root if body is None else body
