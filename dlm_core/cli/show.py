"""`dlm show`: a document's sections, versions and runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..api import UsageError
from ..plugins import Plugins
from .common import allow_secret_option, document_argument, json_option, version_option
from .terminal import console, print_json

if TYPE_CHECKING:
    from ..exam import SectionResult


@click.command()
@document_argument
@click.option("--verify", is_flag=True, help="Hold every file in the store against its hash instead.")
@click.option(
    "--learned",
    "by_section",
    is_flag=True,
    help="How well each section was learned, and the questions that were missed.",
)
@version_option
@click.option("--report", is_flag=True, help="Where the page about the last run lies.")
@click.option("--run", "run_number", type=int, metavar="N", help="With --report: a run other than the last.")
@click.option(
    "--why", "why", type=click.Path(path_type=Path), metavar="PATH", help="Which rule decided about a file of a source."
)
@allow_secret_option
@json_option
@click.pass_obj
def show(
    plugins: Plugins,
    /,
    document: Path,
    verify: bool,
    by_section: bool,
    number: int | None,
    report: bool,
    run_number: int | None,
    why: Path | None,
    allow_secret: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Sections of DOCUMENT with how well each was learned, its versions, and its last runs."""
    from collections import Counter

    from ..document import collect_rows, read_document
    from ..exam import Exam
    from ..store import open_store

    if why is not None:
        from .why import show_why

        return show_why(plugins, document, why, allow_secret, as_json)
    if allow_secret:
        raise UsageError("--allow-secret goes with --why PATH here", "`dlm show` without it reads no source")
    if verify:
        return _verify(plugins, document, as_json)
    if report or run_number is not None:
        return _report(plugins, document, run_number, as_json)
    if by_section or number is not None:
        from .learned import show_learned

        return show_learned(plugins, document, number, as_json)
    doc = read_document(document, plugins)
    rows = Counter(row.section_id for row in collect_rows(doc, doc.sections, plugins)[0])
    store = open_store(doc.id)
    current = store.current()
    learned = Exam.from_json(dict(current.manifest["exam"])).least_learned if current else {}
    sections = [
        {
            "id": section.id,
            "line": section.span.line,
            "type": section.type,
            "adapter": section.adapter,
            "rows": rows[section.id],
            "learned": learned[section.id].to_json() if section.id in learned else None,
        }
        for section in doc.sections
    ]
    versions = [_version_json(version, current) for version in store.versions()]
    runs = [dict(run) for run in store.runs.list()][-10:]
    about = {"document": str(document), "dlm_id": doc.id, "base_model": doc.base_model, "store": str(store.root)}
    if as_json:
        print_json("show", {**about, "sections": sections, "versions": versions, "runs": runs})
        return None
    for warning in store.runs.take_warnings():
        print(f"warning: {warning}", file=sys.stderr)
    return _print(about, sections, versions, runs, learned)


def _verify(plugins: Plugins, document: Path, as_json: bool) -> None:
    """Print what is missing, changed or too much in the store; the exit code is 1 when anything is."""
    from ..document import read_document
    from ..store import open_store

    store = open_store(read_document(document, plugins).id)
    problems = store.check()
    if as_json:
        print_json("verify", {"document": str(document), "store": str(store.root), "problems": problems})
    else:
        print("\n".join(problems) or f"everything in {store.root} is as it was written")
    if problems:
        sys.exit(1)


def _report(plugins: Plugins, document: Path, run: int | None, as_json: bool) -> None:
    """Print the path of the page about a run.  Raises UsageError when there is none."""
    from ..document import read_document
    from ..store import open_store

    reports = open_store(read_document(document, plugins).id).reports()
    if not reports:
        name = shlex.quote(str(document))
        raise UsageError("no run has left a report yet", f"`dlm run {name}` writes one")
    run = max(reports) if run is None else run
    if run not in reports:
        known = ", ".join(str(number) for number in list(reports)[-20:])
        raise UsageError(f"there is no report of run {run}", f"There are reports of these runs: {known}.")
    if as_json:
        print_json("report", {"document": str(document), "run": run, "path": reports[run]})
    else:
        print(reports[run])


def _version_json(version: Any, current: Any) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "number": version.number,
        "current": current is not None and version.number == current.number,
        "created": version.created,
        "exact": manifest["exact"],
        "asked": manifest["asked"],
        "beside": _beside(manifest.get("compared")),
        "base": manifest["base"]["key"],
        "adapter": str(version.adapter),
    }


def _beside(compared: Any) -> dict[str, int] | None:
    """What became of the version that this one started from or was compared with."""
    return compared and {name: compared[name] for name in ("version", "kept", "had")}


def _print(
    about: dict[str, Any],
    sections: list[Any],
    versions: list[Any],
    runs: list[Any],
    learned: Mapping[str, SectionResult],
) -> None:
    from rich.table import Table

    from .summary import MARKS

    out = console()
    out.print(f"[bold]{about['document']}[/]  {about['dlm_id']}  on {about['base_model']}", soft_wrap=True)
    out.print(f"store {about['store']}", style="dim", soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("line", "section", "rows", "before", "after", "learned"):
        table.add_column(name, justify="left" if name in ("section", "learned") else "right")
    for item in sections:
        seen = learned.get(item["id"])
        tag = f"::{item['type']}{'#' + item['adapter'] if item['adapter'] else ''}::"
        verdict = MARKS[seen.verdict] if seen else "[dim]new or only asked[/]"
        table.add_row(str(item["line"]), tag, str(item["rows"]), *(seen.texts if seen else ("", "")), verdict)
    out.print(table)
    for version in versions:
        mark = "[green]*[/]" if version["current"] else " "
        beside = version["beside"]
        kept = f"  kept {beside['kept']} of {beside['had']} of version {beside['version']}" if beside else ""
        asked = f"exam {version['exact']}/{version['asked']}"
        out.print(f"{mark} version {version['number']}  {version['created']}  {asked}{kept}", soft_wrap=True)
    if not versions:
        name = shlex.quote(about["document"])
        out.print(f"never trained; train it: dlm run {name}", style="dim", soft_wrap=True, markup=False)
    for run in runs[-5:]:
        out.print(
            f"  run {run['id']}  {run['state']}  {run['started']}  {run['reason'] or ''}", style="dim", soft_wrap=True
        )
