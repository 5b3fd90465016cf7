"""Entry point of the plugin: what it gives to DLM.  Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import ConfigBlock, Trainer


@hookimpl
def dlm_config_blocks() -> list[ConfigBlock]:
    from .config import NewPluginBlock

    return [NewPluginBlock()]


@hookimpl
def dlm_trainers() -> list[Trainer]:
    from .trainer import NewPlugin

    return [NewPlugin()]
