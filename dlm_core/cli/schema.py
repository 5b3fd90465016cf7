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


def report_names() -> list[str]:
    """The reports that have a schema; `event` is of the lines that run, train and export print."""
    return sorted(path.stem for path in SCHEMAS.glob("*.json"))


def report_schema(name: str) -> dict[str, Any]:
    """The published schema of a report.  Raises UsageError for a name that there is none of."""
    if name not in report_names():
        close = closest(name, report_names())
        hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(report_names())}"
        raise UsageError(f"no report {name!r}", hint)
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return found


@click.command()
@click.option("--report", metavar="KIND", help="The schema of this report of `--json` instead.")
@click.option("--list", "list_reports", is_flag=True, help="List the reports.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON for programs.  A schema always is.")
@click.pass_obj
def schema(plugins: Plugins, report: str | None, list_reports: bool, as_json: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of a document's frontmatter, with the keys of the plugins at work here."""
    if list_reports:
        about = {name: report_schema(name)["title"] for name in report_names()}
        if as_json:
            print_json("schemas", {"reports": about, "current": JSON_SCHEMA})
            return
        for name, title in about.items():
            print(f"{name:<12} {title}")
        return
    found = report_schema(report) if report else frontmatter_schema(plugins)
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
