"""Entry point of the plugin: the kind of media, its section and source reader, how bases see, and which bases do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core import hookimpl

if TYPE_CHECKING:
    from dlm_core.api import BaseModel, Explanation, MediaKind, SectionType, SourceReader

    from .modality import Sight


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    from .bases import SEEING

    return list(SEEING)


@hookimpl
def dlm_media_kinds() -> list[MediaKind]:
    from .kind import Image

    return [Image()]


@hookimpl
def dlm_section_types() -> list[SectionType]:
    from .section import ImageSection

    return [ImageSection()]


@hookimpl
def dlm_source_readers() -> list[SourceReader]:
    from .section import ImageFiles

    return [ImageFiles()]


@hookimpl(optionalhook=True)
def dlm_hf_modalities() -> list[Sight]:
    from .modality import Sight

    return [Sight()]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
