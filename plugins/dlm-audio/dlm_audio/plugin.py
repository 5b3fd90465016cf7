"""Entry point of the plugin: the kind of media, its block, section and source reader, and how bases hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core import hookimpl
from dlm_core.api import ConfigBlock

if TYPE_CHECKING:
    import pydantic

    from dlm_core.api import BaseModel, Explanation, MediaKind, SectionType, SourceReader

    from .modality import Hearing


class AudioBlock(ConfigBlock):
    """`training.audio`."""

    path = "training.audio"

    def model(self) -> type[pydantic.BaseModel]:
        from .config import AudioConfig

        return AudioConfig


@hookimpl
def dlm_config_blocks() -> list[ConfigBlock]:
    return [AudioBlock()]


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    from .bases import HEARING

    return list(HEARING)


@hookimpl
def dlm_media_kinds() -> list[MediaKind]:
    from .kind import Audio

    return [Audio()]


@hookimpl
def dlm_section_types() -> list[SectionType]:
    from .section import AudioSection

    return [AudioSection()]


@hookimpl
def dlm_source_readers() -> list[SourceReader]:
    from .section import AudioFiles

    return [AudioFiles()]


@hookimpl(optionalhook=True)
def dlm_hf_modalities() -> list[Hearing]:
    from .modality import Hearing

    return [Hearing()]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
