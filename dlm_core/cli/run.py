"""`dlm run`: a document becomes a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..api import NotLearnedError
from ..plugins import Plugins
from . import values
from .common import document_argument, json_option, licence_question, say_waiting, training_options, watching


@click.command()
@document_argument
@training_options
@click.option(
    "--export",
    "exports",
    multiple=True,
    metavar="NAME",
    help="Export in this format; may be repeated.",
    shell_complete=values.exporters,
)
@click.option(
    "-o",
    "export_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of an exporter.",
    shell_complete=values.exporter_options,
)
@click.option("--no-export", is_flag=True, help="Do not export.")
@click.option("--dry-run", is_flag=True, help="Stop after the plan, like `dlm plan`.")
@json_option
@click.pass_obj
def run(
    plugins: Plugins,
    /,
    document: Path,
    exports: tuple[str, ...],
    export_options: tuple[str, ...],
    no_export: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Check DOCUMENT, train if anything changed, ask its questions, keep the version and export it."""
    if dry_run:
        from .plan import show_plan

        return show_plan(plugins, document, options["long_rows"], as_json)
    names = None if no_export else exports
    return train_and_report(plugins, document, names, export_options, as_json, **options)


def train_and_report(
    plugins: Plugins,
    document: Path,
    exports: tuple[str, ...] | None,
    export_options: tuple[str, ...],
    as_json: bool,
    *,
    resume: bool,
    force: bool,
    long_rows: Any,
    min_exam: float | None,
    accept_licence: bool,
    offline: bool,
    no_plot: bool,
    runner: str,
) -> None:
    """Run the pipeline, then the exporters, and print the summary; `exports=None` exports nothing."""
    from .. import exporting, pipeline
    from .reporter import attach_reporter
    from .summary import print_exam, print_summary

    reporter = attach_reporter(plugins, as_json, not no_plot)
    options = pipeline.Options(
        resume=resume,
        force=force,
        fetch=not offline,
        long_rows=long_rows,
        min_exam=min_exam,
        runner=runner,
        accept_licence=licence_question(accept_licence),
        on_wait=say_waiting,
    )
    exporters = [] if exports is None else exporting.choose_exporters(exports, plugins)
    values = exporting.read_options(export_options, exporters)
    with watching(plugins) as control, reporter:

        def look_ahead(ready: pipeline.Ready) -> None:
            exporters[:] = exporting.preflight(exporters, values, ready, control, asked=bool(exports))

        try:
            outcome = pipeline.run(document, plugins, options, control, look_ahead)
        except NotLearnedError as error:
            if error.exam and not as_json:
                print_exam(error.exam)
            raise
        exported, there = [], []
        for exporter in exporters:
            own = values[exporter.name]
            if exporting.is_exported(exporter, own, outcome.ready, outcome.version):
                there.append(outcome.version.exports[exporter.name])
            else:
                exported.append(
                    exporting.export_version(exporter, own, outcome.ready, outcome.store, outcome.version, control)
                )
    if not as_json:
        print_summary(outcome, exported, there, reporter.seconds)
