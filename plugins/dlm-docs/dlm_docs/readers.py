"""The readers by suffix.  Each imports what it needs when a file of its kind is read, and not before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dlm_core.api import Problem, SourceReader

#: A section, with the line of the file where it begins; or what was left out.
Found = tuple[str, str, Mapping[str, str], int] | Problem


def prose(name: str, text: str, line: int = 1) -> Found:
    """A section of running text that says where it comes from."""
    return "prose", f"# source: {name}\n\n{text}", {}, line


class Notebook(SourceReader):
    """Jupyter notebooks: text cells and code cells, without outputs."""

    name = "notebook"
    suffixes = frozenset({".ipynb"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .notebook import notebook_text

        if text := notebook_text(data):
            yield prose(name, text)


class Html(SourceReader):
    """Web pages: their main text as Markdown."""

    name = "html"
    suffixes = frozenset({".html", ".htm", ".xhtml"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .html import page_text

        yield prose(name, page_text(data))


class Pdf(SourceReader):
    """PDF: the text of its pages, in the order in which the file has it."""

    name = "pdf"
    suffixes = frozenset({".pdf"})

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"%PDF-")

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .pdf import pdf_text

        text, problems = pdf_text(data)
        yield from problems
        yield prose(name, text)


class Docx(SourceReader):
    """Word documents: text, headings, lists, tables and notes as Markdown, tracked changes accepted."""

    name = "docx"
    suffixes = frozenset({".docx", ".docm"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .docx import docx_text

        if name.lower().endswith(".docm"):
            raise ValueError("a document with macros; save it as .docx")
        if text := docx_text(data):
            yield prose(name, text)


class Epub(SourceReader):
    """E-books: one section a chapter, in reading order."""

    name = "epub"
    suffixes = frozenset({".epub"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .epub import chapters

        for found in chapters(data):
            yield found if isinstance(found, Problem) else prose(name, found)


class Table(SourceReader):
    """CSV and TSV with columns for questions and answers, conversations or texts."""

    name = "table"
    suffixes = frozenset({".csv", ".tsv"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .table import table_sections

        return table_sections(data, name)


class JsonLines(SourceReader):
    """JSON lines, each a question with its answer, a conversation or a text."""

    name = "jsonl"
    suffixes = frozenset({".jsonl", ".ndjson"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .json_files import lines_sections

        return lines_sections(data, name)


class Json(SourceReader):
    """A JSON list of the same; any other JSON is text as it stands."""

    name = "json"
    suffixes = frozenset({".json"})

    def read(self, data: bytes, name: str) -> Iterator[Found]:
        from .json_files import list_sections

        return list_sections(data, name)
