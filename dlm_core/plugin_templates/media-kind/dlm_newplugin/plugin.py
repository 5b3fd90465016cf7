"""Entry point of the plugin: what it gives to DLM.  Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import MediaKind, SectionType


@hookimpl
def dlm_media_kinds() -> list[MediaKind]:
    from .media import NewPlugin

    return [NewPlugin()]


@hookimpl
def dlm_section_types() -> list[SectionType]:
    from .section import NewPluginSection

    return [NewPluginSection()]
