"""The reader of text files: UTF-8 becomes prose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..api import SourceReader

#: Bytes at the start of a file that decide whether it is text.
HEAD = 1024


class TextReader(SourceReader):
    """Claims any file without a NUL in its first bytes that no other reader claims by suffix."""

    name = "text"
    suffixes = frozenset({".md", ".rst", ".txt"})

    def sniff(self, head: bytes) -> bool:
        return b"\0" not in head

    def read(self, data: bytes, name: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        if b"\0" in data[:HEAD]:
            raise ValueError("not text: it holds a NUL byte")
        try:
            text = data.removeprefix(b"\xef\xbb\xbf").decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8: byte {error.start}") from error
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = text.strip("\n")
        if text and not text.isspace():
            yield "prose", f"# source: {name}\n\n{text}", {}
