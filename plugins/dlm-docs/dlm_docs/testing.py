"""Files of each kind for tests, made on the spot: just enough of each format, written by hand."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


# -- PDF ------------------------------------------------------------------------------------------------


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF with these lines on its pages, in Helvetica."""
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in pages:
        shown = b" ".join(b"(" + line.encode("cp1252") + b") Tj T*" for line in lines)
        stream = b"BT /F1 12 Tf 72 720 Td 14 TL " + shown + b" ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        fonts = b"<< /Font << /F1 3 0 R >> >>"
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources %s /Contents %d 0 R >>"
        objects.append(page % (fonts, len(objects)))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    out, places = b"%PDF-1.4\n", []
    for number, value in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + table + end


# -- Word -----------------------------------------------------------------------------------------------

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_CONTENT = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(inner: str, style: str = "", level: int | None = None, number: int = 1) -> str:
    numbered = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>' if level is not None else ""
    styled = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{styled}{numbered}</w:pPr>{inner}</w:p>"


def word_table(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(run(cell))}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def docx_parts(body: str, notes: str = "", main: str = _MAIN) -> dict[str, str | bytes]:
    def levels(kind: str) -> str:
        return "".join(f'<w:lvl w:ilvl="{n}"><w:numFmt w:val="{kind}"/></w:lvl>' for n in range(3))

    headings = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>' for n in (1, 2)
    )
    return {
        "[Content_Types].xml": f'<Types xmlns="{_CONTENT}"><Default Extension="rels" ContentType="application/vnd.'
        f'openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="{main}"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_TYPE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
        f'Type="{_TYPE}/numbering" Target="numbering.xml"/><Relationship Id="r2" Type="{_TYPE}/styles" '
        f'Target="styles.xml"/><Relationship Id="r3" Type="{_TYPE}/footnotes" Target="footnotes.xml"/></Relationships>',
        "word/numbering.xml": f'<w:numbering {_W}><w:abstractNum w:abstractNumId="0">{levels("bullet")}</w:abstractNum>'
        f'<w:abstractNum w:abstractNumId="1">{levels("decimal")}</w:abstractNum><w:num w:numId="1"><w:abstractNumId '
        'w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>',
        "word/styles.xml": f"<w:styles {_W}>{headings}</w:styles>",
        "word/footnotes.xml": f"<w:footnotes {_W}>{notes}</w:footnotes>",
        "word/document.xml": f"<w:document {_W}><w:body>{body}</w:body></w:document>",
    }


def docx(body: str, notes: str = "") -> bytes:
    return zipped(docx_parts(body, notes))


def note(number: int, text: str) -> str:
    return f'<w:footnote w:id="{number}">{paragraph(run(text))}</w:footnote>'


# -- EPUB -----------------------------------------------------------------------------------------------


def chapter(title: str, text: str) -> str:
    head = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{title}</title></head>'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}<body><h1>{title}</h1><p>{text}</p></body></html>'


def epub_parts(pages: Mapping[str, str], order: Sequence[str] | None = None) -> dict[str, str | bytes]:
    """`pages` by their name in the folder OEBPS; `order` is the spine, theirs by default."""
    ids = {name: f"i{number}" for number, name in enumerate(pages)}
    items = "".join(f'<item id="{ids[n]}" href="{n}" media-type="application/xhtml+xml"/>' for n in pages)
    spine = "".join(f'<itemref idref="{ids[n]}"/>' for n in order or pages)
    return {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
        f"<spine>{spine}</spine></package>",
        **{f"OEBPS/{name}": text for name, text in pages.items()},
    }


def epub(pages: Mapping[str, str], order: Sequence[str] | None = None) -> bytes:
    return zipped(epub_parts(pages, order))


def encryption(algorithm: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData '
        'xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod '
        f'Algorithm="{algorithm}"/></EncryptedData></encryption>'
    )


# -- notebooks ------------------------------------------------------------------------------------------


def notebook(*cells: Mapping[str, Any], **metadata: Any) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}).encode()


def cell(kind: str, source: str | list[str], **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {}, **more}
