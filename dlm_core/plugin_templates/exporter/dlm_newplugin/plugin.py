"""Entry point of the plugin: what it gives to DLM.  Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import Exporter


@hookimpl
def dlm_exporters() -> list[Exporter]:
    from .exporter import NewPlugin

    return [NewPlugin()]
