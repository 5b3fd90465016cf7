"""Entry point of the plugin: a reader for each kind of file, and the section type that carries a whole conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dlm_core.api import Explanation, SectionType, SourceReader


@hookimpl
def dlm_section_types() -> list[SectionType]:
    from .conversation import Conversation

    return [Conversation()]


@hookimpl
def dlm_source_readers() -> list[SourceReader]:
    from .readers import Docx, Epub, Html, Json, JsonLines, Notebook, Pdf, Table

    return [Notebook(), Html(), Pdf(), Docx(), Epub(), Table(), JsonLines(), Json()]


@hookimpl
def dlm_explanations() -> Iterable[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
