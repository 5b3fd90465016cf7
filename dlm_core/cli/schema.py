"""`dlm schema`: the JSON Schema of the frontmatter with every plugin's keys, or of what `--json` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..api import UsageError
from ..plugins import Plugins
from ..spelling import closest
from .terminal import JSON_SCHEMA, json_line, print_json

SCHEMAS = Path(__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_files(plugins: Plugins | None = None) -> dict[str, Path]:
    """Report -> the file with its schema: core's, and those of the commands of plugins, which cannot replace core's."""
    commands = plugins.commands.values() if plugins else ()
    folders = [*(command.reports for command in commands if command.reports), SCHEMAS]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.json"))}


def report_names(plugins: Plugins | None = None) -> list[str]:
    """The reports that have a schema; `event` is of the lines that run, train and export print."""
    return sorted(report_files(plugins))


def report_schema(name: str, plugins: Plugins | None = None) -> dict[str, Any]:
    """The published schema of a report.  Raises UsageError for a name that there is none of, and for a damaged file."""
    files = report_files(plugins)
    if name not in files:
        close = closest(name, files)
        hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(sorted(files))}"
        raise UsageError(f"no report {name!r}", hint)
    try:
        found = json.loads(files[name].read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the schema of {name} cannot be read: {error}", f"look at {files[name]}") from error
    return found if isinstance(found, dict) else {}


@click.command()
@click.option("--report", metavar="KIND", help="The schema of this report of `--json` instead.")
@click.option("--list", "list_reports", is_flag=True, help="List the reports.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON for programs.  A schema always is.")
@click.pass_obj
def schema(plugins: Plugins, report: str | None, list_reports: bool, as_json: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of a document's frontmatter, with the keys of the plugins at work here."""
    if list_reports:
        about = {name: str(report_schema(name, plugins).get("title", "")) for name in report_names(plugins)}
        if as_json:
            print_json("schemas", {"reports": about, "current": JSON_SCHEMA})
            return
        for name, title in about.items():
            print(f"{name:<{max(map(len, about))}} {title}")
        return
    found = report_schema(report, plugins) if report else frontmatter_schema(plugins)
    print(json.dumps(found, indent=2) if not as_json else json_line(found))


def frontmatter_schema(plugins: Plugins) -> dict[str, Any]:
    """The composed frontmatter as JSON Schema."""
    from ..document.blocks import find_blocks

    model = find_blocks(plugins).model
    found = _closed(model.model_json_schema(mode="validation"))
    return {
        "$schema": DIALECT,
        "$id": "urn:dlm:frontmatter",
        **found,
        "title": "DLM frontmatter",
        "description": "What stands between the first two lines `---` of a .dlm document, as YAML or TOML.",
    }


def _closed(schema: Any) -> Any:
    """The schema with no names in a table but those that its pattern allows."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _closed(item) for name, item in schema.items()}
    return {**inner, "additionalProperties": False} if "patternProperties" in inner else inner
