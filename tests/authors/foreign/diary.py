"""An observer: a line a version, in a file beside the store."""

import os
from pathlib import Path

from dlm_core import hookimpl


@hookimpl
def dlm_event(event):
    if event.kind == "commit":
        with Path(os.environ["DLM_HOME"], "diary.txt").open("a") as file:
            file.write(f"version {event.data['version']}\n")
