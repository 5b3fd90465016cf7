"""What may be imported and what may be reached: called before the first import of transformers or peft.

Three libraries cost a second of start-up and nothing here uses them: bitsandbytes (peft loads it, and with it
torch's inductor), scipy and scikit-learn.  A None in `sys.modules` makes them look uninstalled.  Every library's
telemetry and chatter are off, and the hub is offline except inside `online()`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_UNUSED = ("bitsandbytes", "scipy", "sklearn")

_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "BITSANDBYTES_NOWELCOME": "1",
    "TOKENIZERS_PARALLELISM": "false",  # rows of one document are few; forked workers would warn and deadlock
    "HF_HUB_OFFLINE": "1",
}

# A worker thread that spins while it waits steals its own core when the machine is busy: a training step of a small
# model on two threads took 4.9 s beside another job, and 0.7 s with this.  Read once, when torch is imported.
_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}

#: Whether the user said offline before we did; then nothing is ever fetched.
USER_OFFLINE = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def prepare() -> None:
    """Block what is not needed, silence what is, and go offline.  Cheap, and safe to call again."""
    os.environ.update(_QUIET)
    for name, value in _THREADS.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft|torch|accelerate)\b")
    for name in _UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    hub = sys.modules.get("huggingface_hub.constants")
    if hub is not None:
        hub.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
        hub.HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]


@contextmanager
def online() -> Iterator[None]:
    """Let huggingface_hub reach the network inside the block, with its progress bars, and nowhere else."""
    prepare()
    os.environ["HF_HUB_OFFLINE"] = "0"
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import enable_progress_bars

    constants.HF_HUB_OFFLINE = False
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        enable_progress_bars()
    try:
        yield
    finally:
        prepare()
