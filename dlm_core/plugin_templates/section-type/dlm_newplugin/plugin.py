"""Entry point of the plugin: what it gives to DLM.  Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import SectionType


@hookimpl
def dlm_section_types() -> list[SectionType]:
    from .section import NewPlugin

    return [NewPlugin()]
