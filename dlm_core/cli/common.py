"""What commands share: arguments, the run's options, stopping with Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from ..api import BaseModel, Control, Event, Mix
from ..plugins import Plugins
from . import values

F = TypeVar("F", bound=Callable[..., Any])

document_argument = click.argument(
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="DOCUMENT",
    shell_complete=values.documents,
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
version_option = click.option(
    "--version",
    "number",
    type=int,
    metavar="N",
    help="A version other than the current one.",
    shell_complete=values.versions,
)
adapter_option = click.option(
    "--adapter", metavar="NAME", help="One of the document's named adapters.", shell_complete=values.adapters
)

allow_secret_option = click.option(
    "--allow-secret",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Let sources read this file though it is secret (.env, a key, a token); repeatable.",
)

max_steps_option = click.option(
    "--max-steps", type=click.IntRange(min=1), metavar="N", help="Take at most N optimizer steps."
)


_fresh_option = click.option(
    "--fresh", is_flag=True, help="Train every row from the base, not from the version before."
)
_replay_deleted_option = click.option(
    "--replay-deleted", is_flag=True, help="Let rows that were deleted be among the old ones that are trained again."
)


def with_memory_options(command: F) -> F:
    """The options that say what a run takes of earlier ones."""
    return _fresh_option(_replay_deleted_option(command))


mix_option = click.option(
    "--adapter-mix",
    "mix",
    metavar="NAME:WEIGHT,...",
    help="Several adapters at once, each with its weight.",
    shell_complete=values.adapters,
)


def say_mix(mix: Mix) -> None:
    """What a mix is made of and how exactly, on stderr."""
    exact = f"off the true sum by {mix.error:.0e} of it"
    print(f"mix        {mix.text}: rank {mix.rank}, {exact}", file=sys.stderr)


def mix_json(mix: Mix | None) -> dict[str, Any]:
    """What reports say of a mix; nothing where there is none."""
    about = mix and {"weights": dict(mix.weights), "rank": mix.rank, "error": mix.error}
    return {"mix": about} if about else {}


def training_options(command: F) -> F:
    """The options of every command that trains."""
    for option in reversed(
        [
            click.option("--resume", is_flag=True, help="Go on with the interrupted run."),
            click.option("--force", is_flag=True, help="Train even if nothing changed."),
            with_memory_options,
            click.option(
                "--long-rows",
                type=click.Choice(["error", "cut", "skip"]),
                default="error",
                show_default=True,
                help="What to do with questions and answers longer than training.sequence_len.",
            ),
            click.option(
                "--min-exam",
                type=click.FloatRange(0, 1),
                metavar="SHARE",
                help="Fail (exit code 8) when fewer of the trained questions are answered exactly.",
            ),
            click.option(
                "--max-forgetting",
                type=click.FloatRange(0, 1),
                metavar="SHARE",
                help="Fail (exit code 8), keeping the version before, when more of what it knew was lost.",
            ),
            max_steps_option,
            allow_secret_option,
            click.option("--accept-licence", is_flag=True, help="Accept the base model's licence."),
            click.option("--offline", is_flag=True, help="Never fetch a base model."),
            click.option("--no-plot", is_flag=True, help="Draw no plot of the loss at a terminal."),
            click.option(
                "--runner",
                default="here",
                show_default=True,
                metavar="NAME",
                help="Where training runs.",
                shell_complete=values.runners,
            ),
        ]
    ):
        command = option(command)
    return command


def licence_question(accepted: bool) -> Callable[[BaseModel], bool]:
    """Ask once at a terminal; without one the answer is no unless it was given on the command line."""

    def ask(base: BaseModel) -> bool:
        if accepted:
            return True
        if not sys.stdin.isatty():
            return False
        where = f"https://huggingface.co/{base.location.removeprefix('hub:')}"
        return click.confirm(f"{base.key} is under the licence {base.license}, see {where}. Accept it?", err=True)

    return ask


#: Events between which a first Ctrl-C waits for the step or the batch of questions that is under way.
PATIENT_FROM = frozenset({"phase", "exam_start"})
PATIENT_TO = frozenset({"phase_end", "exam"})


@contextmanager
def watching(plugins: Plugins) -> Iterator[Control]:
    """A control for a run.  While it trains or examines, the first Ctrl-C asks it to stop after its step and the
    second stops at once; at any other time the first stops at once."""
    stopping = patient = False

    def tell(event: Event) -> None:
        nonlocal patient
        if event.kind in PATIENT_FROM:
            patient = True
        elif event.kind in PATIENT_TO:
            patient = False
        plugins.emit(event)

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping or not patient:
            raise KeyboardInterrupt
        stopping = True
        print("\nstopping after this step; press Ctrl-C again to stop at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, stop)
    terminated = signal.signal(signal.SIGTERM, stop)
    try:
        yield Control(tell, lambda: stopping)
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, terminated)


def say_waiting(message: str) -> None:
    print(message, file=sys.stderr)
