"""What may be imported and what may be reached: called before the first import of transformers or peft.

Three libraries cost a second of start-up and are rarely needed: bitsandbytes (peft loads it, and with it torch's
inductor), scipy and scikit-learn.  A None in `sys.modules` makes them look uninstalled; `import_bitsandbytes` takes
bitsandbytes out of that.  Every library's
telemetry and chatter are off, and the hub is offline except inside `online()`.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from dlm_core.api import PluginMissingError

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


#: Packages that only some settings need -> the extra of this distribution that brings them.
EXTRAS = {"bitsandbytes": "bnb", "galore-torch": "galore"}


def is_installed(package: str) -> bool:
    """Whether a distribution is installed, blocked or not.  Imports nothing."""
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def how_to_install(package: str) -> str:
    """The command that installs one of `EXTRAS`."""
    return f"pip install 'dlm-hf[{EXTRAS[package]}]'"


def import_bitsandbytes() -> Any:
    """The module bitsandbytes, imported in silence; transformers and peft see it from now on.

    On some processors it looks for a faster kernel on the hub, if a package `kernels` is there: that is kept from it.
    Raises PluginMissingError when it is not installed.
    """
    prepare()
    if sys.modules.get("bitsandbytes") is not None:
        return sys.modules["bitsandbytes"]
    if not is_installed("bitsandbytes"):
        raise PluginMissingError("the package bitsandbytes is not installed", how_to_install("bitsandbytes"))
    sys.modules.pop("bitsandbytes", None)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    with _without("kernels"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bitsandbytes
    _notice_it()
    return bitsandbytes


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Make a package look uninstalled inside the block."""
    missing = object()
    before: Any = sys.modules.get(name, missing)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not missing:
            sys.modules[name] = before


def _notice_it() -> None:
    """Have libraries that found bitsandbytes missing look again: they remember the answer."""
    for module, name in (
        ("transformers.utils.import_utils", "is_bitsandbytes_available"),
        ("peft.import_utils", "is_bnb_available"),
        ("peft.import_utils", "is_bnb_4bit_available"),
    ):
        if module in sys.modules:
            getattr(sys.modules[module], name).cache_clear()
    for module in ("peft.tuners.lora.bnb", "transformers.integrations.bitsandbytes"):
        sys.modules.pop(module, None)
