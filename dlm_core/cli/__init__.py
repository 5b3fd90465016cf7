"""The `dlm` command: from arguments to an exit code, with every expected failure said in plain words."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..plugins import Plugins


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the `dlm` command; always leaves through SystemExit with the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        from .. import __version__

        print(f"dlm {__version__}")
        raise SystemExit(0)
    raise SystemExit(invoke(arguments))


def invoke(arguments: Sequence[str], load: Callable[[Iterable[str]], Plugins] | None = None) -> int:
    """Run one command line and return its exit code.

    `load` makes the plugins from the names of those to leave out; without it those installed are loaded.
    """
    # Idle OpenMP threads that spin steal the cores of the busy ones: a step beside another job took seven times as
    # long.  Read once, by whichever plugin first loads an OpenMP library, so it is set before any plugin is asked.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    import click

    from ..api import DlmError
    from ..api.errors import UntrustedError
    from .errors import print_error, print_unexpected, suggest_choice
    from .group import dlm
    from .streams import prepare_streams
    from .terminal import new_report

    prepare_streams()
    new_report()
    try:
        result = dlm.main(args=list(arguments), prog_name="dlm", standalone_mode=False, obj=load)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        suggest_choice(error)
        error.show()
        return _told(arguments, error, error.exit_code)
    except DlmError as error:
        if isinstance(error, UntrustedError):
            from .trust import ask

            if ask(error):
                return invoke(arguments, load)
        print_error(error)
        return _told(arguments, error, error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        print("stopped", file=sys.stderr)
        return _told(arguments, error, 130)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again when it closes stdout.
        sys.stderr.close()
        return 0
    except OSError as error:
        from pathlib import Path

        from ..store import StoreError

        failure = StoreError(error, Path(error.filename or "."))
        print_error(failure)
        return _told(arguments, failure, 1)
    except Exception as error:
        if os.environ.get("DLM_DEBUG"):
            raise
        print_unexpected(error)
        return _told(arguments, error, 1)
    return result if isinstance(result, int) else 0


def _told(arguments: Sequence[str], error: BaseException, code: int) -> int:
    """The exit code; with `--json` the failure is told on stdout too, as one object."""
    options = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    if "--json" in options:
        from .json_error import tell_in_json

        tell_in_json(error, code)
    return code
