"""`dlm init`: a new document from a template."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from ..api import UsageError
from ..plugins import Plugins
from ..spelling import advice
from . import values
from .common import json_option
from .terminal import console, print_json

TEMPLATES = Path(__file__).parent.parent / "templates"


def template_names() -> list[str]:
    """The names of the templates, sorted."""
    return sorted(path.stem for path in TEMPLATES.glob("*.md"))


@click.command()
@click.argument(
    "document", type=click.Path(dir_okay=False, path_type=Path), required=False, shell_complete=values.documents
)
@click.option(
    "--base",
    metavar="KEY",
    help="The base model, see `dlm bases` (default: the smallest that is here).",
    shell_complete=values.bases,
)
@click.option(
    "--template",
    default="notes",
    show_default=True,
    metavar="NAME",
    help="What to start from.",
    shell_complete=values.templates,
)
@click.option("--list-templates", is_flag=True, help="List the templates.")
@click.option("--force", is_flag=True, help="Overwrite DOCUMENT.")
@json_option
@click.pass_obj
def init(
    plugins: Plugins,
    document: Path | None,
    base: str | None,
    template: str,
    list_templates: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a new DOCUMENT with a fresh id and settings that suit the base model."""
    if list_templates:
        return _list_templates(as_json)
    if document is None:
        raise UsageError("which document?", "dlm init notes.dlm")
    if document.exists() and not force:
        raise UsageError(f"{document} exists", "choose another name, or `--force` to overwrite it")
    if not document.parent.is_dir():
        raise UsageError(f"there is no folder {document.parent}", f"mkdir -p {document.parent}")
    if template not in template_names():
        raise UsageError(f"no template {template!r}", advice(template, template_names(), "there are"))
    from ..document.new import new_document
    from ..editing import write_document
    from ..planning.bases import base_from_name
    from ..store.atomic import write_file

    found = base_from_name(_from_document(base or _smallest_here(plugins), document), plugins, document.parent)
    body = (TEMPLATES / f"{template}.md").read_text(encoding="utf-8").partition("\n\n")[2]
    data = new_document(found.key, found.recommended, body).encode()
    if document.exists():
        write_document(document, data, document.read_bytes())
    else:
        write_file(document, data)
    if as_json:
        about = {"document": str(document), "base_model": found.key, "licence": found.license, "template": template}
        return print_json("init", about)
    out = console()
    licence = f", licence {found.license}" if found.license else ""
    out.print(f"created {document} (base {found.key}{licence})", soft_wrap=True, markup=False)
    name = shlex.quote(str(document))
    out.print(f"  edit it, then: dlm run {name}", soft_wrap=True, markup=False)
    return None


def _from_document(base: str, document: Path) -> str:
    """A folder typed at the command line is meant from here; in a document it is meant from the document."""
    if not base.startswith("."):
        return base
    below = os.path.relpath(base, document.parent)
    return below if below.startswith(".") else f"./{below}"


def _smallest_here(plugins: Plugins) -> str:
    """The smallest base whose files need no download."""
    here = [base for base in plugins.base_models.values() if Path(base.location).is_dir()]
    if not here:
        raise UsageError("which base model?", "name one with `--base`; `dlm bases` lists them")
    return min(here, key=lambda base: base.parameters).key


def _list_templates(as_json: bool) -> None:
    titles = {name: _title(name) for name in template_names()}
    if as_json:
        return print_json("templates", {"templates": titles})
    for name, title in titles.items():
        print(f"{name:<10} {title}")
    return None


def _title(name: str) -> str:
    first = (TEMPLATES / f"{name}.md").read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("<!-- ").removesuffix(" -->")
