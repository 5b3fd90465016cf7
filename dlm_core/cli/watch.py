"""`dlm run --watch`: run, wait for a save, run again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ..api import Control, DlmError, InterruptedRunError, UsageError
from ..api.errors import UntrustedError
from ..plugins import Plugins
from ..sources.allowed import allow
from .errors import print_error

#: Optimizer steps of a run where --max-steps does not say otherwise.
MOST_STEPS = 200


def run_on_save(
    plugins: Plugins, document: Path, allow_secret: tuple[Path, ...], as_json: bool, once: Callable[[bool], None]
) -> None:
    """Call `once` now and after every save of the document or of a file its sources take, until Ctrl-C.

    `once` hears whether it is the first call.  What is wrong with a document is printed, and the next save awaited; a
    run that is stopped raises as it does without --watch.  Ctrl-C while nothing runs returns.
    """
    from ..watching import watch

    allowed, control = allow(allow_secret), Control(plugins.emit)
    changed: list[str] = []
    is_running = False
    try:
        for cycle in count(1):
            with watch(document, plugins, allowed) as watched:
                control.emit("cycle", cycle=cycle, changed=changed)
                is_running = True
                code = _run(once, cycle, as_json)
                is_running = False
                files = watched.before.files
                control.emit("waiting", cycle=cycle, document=str(document), files=files, exit_code=code)
                changed = watched.wait()
    except KeyboardInterrupt:
        if is_running:
            raise


def _run(once: Callable[[bool], None], cycle: int, as_json: bool) -> int:
    """One run; the exit code it would have had."""
    try:
        once(cycle == 1)
    except InterruptedRunError:
        raise
    except DlmError as error:
        if cycle == 1 and isinstance(error, UsageError | UntrustedError):
            raise  # it is about the command, which no save changes, or a question to the owner
        if as_json:
            from .json_error import tell_in_json

            tell_in_json(error, error.exit_code)
        else:
            print_error(error)
            sys.stderr.flush()
        return error.exit_code
    finally:
        sys.stdout.flush()
    return 0
