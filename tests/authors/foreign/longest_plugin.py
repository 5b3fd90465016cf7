"""The entry point of the command: it names the module, and that imports click."""

from dlm_core import hookimpl
from dlm_core.api import Command


@hookimpl
def dlm_commands():
    return [Command("longest", "the longest row of a document", "longest:longest")]
