"""`dlm run`: a document becomes a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..api import CannotMixError, NotLearnedError, UsageError
from ..plugins import Plugins
from . import values
from .common import json_option, licence_question, say_waiting, training_options, watching

if TYPE_CHECKING:
    from .reporter import Reporter

#: Options of the first run under --watch that the later ones do without.
FIRST_RUN_ONLY = frozenset({"resume", "force", "fresh"})


@click.command()
@click.argument(
    "document", type=click.Path(exists=True, path_type=Path), metavar="DOCUMENT|FOLDER", shell_complete=values.documents
)
@click.option("--base", metavar="KEY", help="For a FOLDER's first run: the base model.", shell_complete=values.bases)
@click.option("--include", multiple=True, metavar="GLOB", help="For a FOLDER's first run: only such files; repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="For a FOLDER's first run: no such files; repeatable.")
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
@click.option(
    "--watch",
    "on_save",
    is_flag=True,
    help="Run again at every save of DOCUMENT or of a file of its sources, at most 200 steps each unless --max-steps "
    "says otherwise.",
)
@click.option("--dry-run", is_flag=True, help="Stop after the plan, like `dlm plan`.")
@json_option
@click.pass_obj
def run(
    plugins: Plugins,
    /,
    document: Path,
    base: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    exports: tuple[str, ...],
    export_options: tuple[str, ...],
    no_export: bool,
    on_save: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Check DOCUMENT, train if anything changed, ask its questions, keep the version and export it.

    A FOLDER is learned by way of FOLDER/.dlm/corpus.dlm, which its first run makes.
    """
    if document.is_dir() or base is not None or include or exclude:
        document = folder_document(plugins, document, base, include, exclude)
    if dry_run:
        from .plan import show_plan

        asked = {
            name: options[name]
            for name in ("long_rows", "allow_secret", "max_steps", "force", "fresh", "replay_deleted")
        }
        return show_plan(plugins, document, as_json, **asked)
    names = None if no_export else exports
    if on_save:
        return watch_and_train(plugins, document, names, export_options, as_json, **options)
    return train_and_report(plugins, document, names, export_options, as_json, **options)


def watch_and_train(
    plugins: Plugins,
    document: Path,
    exports: tuple[str, ...] | None,
    export_options: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Train now and at every save; what was asked of one run (`--resume` and the like) is asked of the first."""
    from .reporter import attach_reporter
    from .watch import MOST_STEPS, run_on_save

    reporter = attach_reporter(plugins, as_json, not options["no_plot"])
    options["max_steps"] = options["max_steps"] or MOST_STEPS

    def once(is_first: bool) -> None:
        if not is_first:
            options.update(dict.fromkeys(FIRST_RUN_ONLY & options.keys(), False))
        train_and_report(plugins, document, exports, export_options, as_json, reporter=reporter, **options)

    run_on_save(plugins, document, options["allow_secret"], as_json, once)


def folder_document(
    plugins: Plugins, folder: Path, base: str | None, include: tuple[str, ...], exclude: tuple[str, ...]
) -> Path:
    """The document of a folder, made now if need be."""
    from ..sources.scaffold import document_of

    if not folder.is_dir():
        raise UsageError("--base, --include and --exclude are for the first run of a folder", f"edit {folder}")
    document, made = document_of(folder, plugins, base, include, exclude)
    if made:
        print(f"created {document}: edit it to change what is learned from {folder} and how", file=sys.stderr)
    return document


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
    allow_secret: tuple[Path, ...],
    max_steps: int | None,
    fresh: bool,
    replay_deleted: bool,
    max_forgetting: float | None,
    reporter: Reporter | None = None,
) -> None:
    """Run the pipeline, then the exporters, and print the summary; `exports=None` exports nothing.

    With a `reporter` the run is one of many, which follow each other by themselves.
    """
    from .. import exporting, pipeline, preparing
    from .reporter import attach_reporter
    from .summary import cache_line, print_exam, print_summary

    is_watching = reporter is not None
    reporter = reporter or attach_reporter(plugins, as_json, not no_plot)
    options = preparing.Options(
        resume=resume,
        force=force,
        fetch=not offline,
        long_rows=long_rows,
        min_exam=min_exam,
        runner=runner,
        accept_licence=licence_question(accept_licence),
        on_wait=say_waiting,
        allow_secret=allow_secret,
        max_steps=max_steps,
        fresh=fresh,
        replay_deleted=replay_deleted,
        max_forgetting=max_forgetting,
    )
    exporters = [] if exports is None else exporting.choose_exporters(exports, plugins)
    values = exporting.read_options(export_options, exporters)
    with watching(plugins) as control, reporter:

        def look_ahead(ready: preparing.Ready) -> None:
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
            if exporting.is_exported(exporter, own, outcome.ready, outcome.version, plugins):
                there.append(outcome.version.exports[exporter.name])
                continue
            try:
                exported.append(
                    exporting.export_version(
                        exporter, own, outcome.ready, outcome.store, outcome.version, plugins, control
                    )
                )
            except CannotMixError as error:
                if exports:
                    raise
                control.emit("warning", message=f"{exporter.name}: {error.message}", hint=error.hint)
    if not as_json:
        print_summary(outcome, exported, there, reporter.seconds, cache_line(reporter), is_watching)
