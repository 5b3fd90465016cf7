"""`dlm exam`: ask the document's own questions again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..api import NotLearnedError
from ..plugins import Plugins
from .common import (
    adapter_option,
    allow_secret_option,
    document_argument,
    json_option,
    mix_json,
    mix_option,
    say_mix,
    version_option,
    watching,
)
from .routers import read_wanted
from .terminal import print_json


@click.command()
@document_argument
@click.option("--min-exam", type=click.FloatRange(0, 1), metavar="SHARE", help="Exit code 8 below this share.")
@version_option
@adapter_option
@mix_option
@allow_secret_option
@json_option
@click.pass_obj
def exam(
    plugins: Plugins,
    document: Path,
    min_exam: float | None,
    number: int | None,
    adapter: str | None,
    mix: str | None,
    allow_secret: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Ask every question of DOCUMENT and report each section's loss with and without the adapter.

    With --adapter or --adapter-mix, only what is for those adapters is asked, of that one or of the mix.
    """
    from .. import pipeline, preparing
    from .live import LiveReporter
    from .summary import print_exam
    from .terminal import is_live

    if not as_json and is_live(sys.stderr):
        plugins.attach(LiveReporter(), "reporter")
    wanted = read_wanted(adapter, mix)
    options = preparing.Options(fetch=False, ask_licence=False, min_exam=min_exam, allow_secret=allow_secret)
    with watching(plugins) as control:
        try:
            outcome = pipeline.exam_again(document, plugins, options, control, number, wanted)
        except NotLearnedError as error:
            if error.exam and not as_json:
                print_exam(error.exam, every=True)
            elif error.exam:
                print_json("exam", {"version": number, **error.exam.to_json()})
            raise
    assert outcome.exam is not None
    if as_json:
        about = mix_json(outcome.mix)
        print_json("exam", {"version": outcome.version.number, **about, **outcome.exam.to_json()})
    else:
        if outcome.mix:
            say_mix(outcome.mix)
        print_exam(outcome.exam, every=True)
