"""The reader: a file of paragraphs, the first line its title, becomes one prose section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dlm_core.api import SourceReader


class NewPlugin(SourceReader):
    name = "newplugin"
    suffixes = frozenset({".newplugin"})

    def read(self, data: bytes, name: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        title, _, body = data.decode("utf-8").strip().partition("\n")
        if not body.strip():
            raise ValueError("there is nothing below its title")
        yield "prose", f"# source: {name}\n\n# {title}\n\n{body.strip()}", {}
