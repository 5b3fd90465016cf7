"""Entry point of the plugin: what it gives to DLM.  Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import PrecisionPolicy


@hookimpl
def dlm_precision_policies() -> list[PrecisionPolicy]:
    from .policy import NewPlugin

    return [NewPlugin()]
