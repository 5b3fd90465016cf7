"""What the tests of the pages share: the pages, their code blocks and their links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced code blocks of one language, in order."""
    return [found[2] for found in _BLOCK.finditer(text) if found[1] == language]


def headings(text: str) -> list[str]:
    """The headings outside code blocks, without their marks."""
    return re.findall(r"^#+ +(.+?) *$", _BLOCK.sub("", text), re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The fragments that headings can be linked by, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}


def links(text: str) -> list[str]:
    return _LINK.findall(_BLOCK.sub("", text))


def command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of every `dlm` call in a page's `sh` blocks, without the program's name."""
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\|", line):
                words = shlex.split(part, comments=True)
                if words and words[0].rsplit("/", 1)[-1] == "dlm":
                    yield words[1:]
