"""Entry point of the plugin: what it gives to DLM.  Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import Command


@hookimpl
def dlm_commands() -> list[Command]:
    return [Command("newplugin", "count the rows of a document", "dlm_newplugin.command:newplugin")]
