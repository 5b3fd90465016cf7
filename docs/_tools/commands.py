"""The usage, the arguments and the options of a command, from its click declaration."""

from __future__ import annotations

from functools import cache

import click

from dlm_core.cli.group import dlm
from dlm_core.plugins import Plugins

#: What click calls a value, and what a reader understands.
PLACEHOLDERS = {"FLOAT": "NUMBER", "INTEGER": "N", "DIRECTORY": "FOLDER", "TEXT": "NAME"}


@cache
def plugins() -> Plugins:
    return Plugins.load()


def find(names: tuple[str, ...]) -> click.Command:
    """The command of `dlm NAME [SUBCOMMAND]`."""
    found = dlm.get_command(click.Context(dlm, obj=plugins()), names[0])
    assert found is not None
    for name in names[1:]:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def command(*names: str) -> str:
    """Usage, the help's text, and a table of the options."""
    found = find(names)
    context = click.Context(found, info_name=f"dlm {' '.join(names)}")
    usage = " ".join([context.command_path, *found.collect_usage_pieces(context)])
    return "\n\n".join(filter(None, [f"```\n{usage}\n```", prose(found.help), options(found, context)]))


def group() -> str:
    """The options before a command."""
    return options(dlm, click.Context(dlm, info_name="dlm"))


def prose(text: str | None) -> str:
    """A help text as Markdown paragraphs."""
    return "\n\n".join(" ".join(block.split()) for block in (text or "").replace("\b\n", "").split("\n\n"))


def options(of: click.Command, context: click.Context) -> str:
    rows = [row(param, context) for param in of.params if isinstance(param, click.Option) and not param.hidden]
    return "\n".join(["| option | value | |", "|---|---|---|", *rows]) if rows else ""


def row(option: click.Option, context: click.Context) -> str:
    """A line of the table: names, what follows them, and click's help with defaults and ranges."""
    record = option.get_help_record(context)
    assert record is not None
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return f"| {names} | {value(option, context)} | {escaped(' '.join(record[1].split()))} |"


def value(option: click.Option, context: click.Context) -> str:
    """What follows an option on the command line: a placeholder, the choices, or nothing."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    name = option.make_metavar(context).removesuffix(" RANGE")
    return f"`{PLACEHOLDERS.get(name, name)}`"


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
