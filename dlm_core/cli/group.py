"""The command group: names and helps come from the plugins, a command's module is imported when it is chosen."""

from __future__ import annotations

import os
import shlex
import sys
from importlib import import_module
from typing import Any, cast

import click

from .. import __version__
from ..api import PluginMissingError
from ..plugins import Plugins
from ..spelling import closest
from . import routers, values

SECTIONS = {
    "Everyday": ("run", "init", "check", "explain", "prompt", "chat"),
    "Parts of a run": ("plan", "tokens", "train", "exam", "export"),
    "Changing a document": ("set", "fmt", "migrate"),
    "Looking and going back": ("show", "rollback", "trust", "cache", "bases", "plugins", "plugin", "schema", "doctor"),
    "For your shell": ("completion",),
}


class DlmGroup(click.Group):
    """Commands by way of the hook `dlm_commands`, our own included."""

    def main(self, *args: Any, **extra: Any) -> Any:
        # One malformed entry_points.txt anywhere would take pydantic down, and reading them all costs every start.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        if "_DLM_COMPLETE" in os.environ:
            from .completion import answer

            sys.exit(answer(self))
        return super().main(*args, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["dlm.arguments"] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(plugins_of(ctx).commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        commands = plugins_of(ctx).commands
        if cmd_name not in commands:
            return None
        module, _, attribute = commands[cmd_name].target.partition(":")
        command = cast("click.Command", getattr(import_module(module), attribute))
        return routers.with_routers(command, plugins_of(ctx)) if cmd_name in routers.COMMANDS else command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        plugins = plugins_of(ctx)
        if name not in plugins.commands and not name.startswith("-"):
            if hint := plugins.hint("command", name):
                raise PluginMissingError(f"no command {name!r}", hint.text)
            close = closest(name, plugins.commands)
            maybe = f" Did you mean '{close}'?" if close else " `dlm --help` lists the commands."
            raise click.UsageError(f"No such command '{name}'.{maybe}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = plugins_of(ctx).commands
        listed = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in commands if name not in listed)
        for title, names in {**SECTIONS, "From plugins": others}.items():
            rows = [(name, commands[name].help) for name in names if name in commands]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def plugins_of(ctx: click.Context) -> Plugins:
    """The plugins of this process, loaded once, with a line on stderr for each that failed."""
    root = ctx.find_root()
    if not isinstance(root.obj, Plugins):
        load = root.obj or Plugins.load
        disabled = [choice.removeprefix("no:") for choice in root.params.get("plugin_choices") or ()]
        root.obj = load(disabled)
        found = root.obj
        found.arguments = root.meta.get("dlm.arguments", ())
        for sentence in found.useless_choices():
            print(f"warning: {sentence}", file=sys.stderr)
        say_failures(found)
        root.call_on_close(lambda: say_failures(found))
    return root.obj


def say_failures(plugins: Plugins) -> None:
    """One line on stderr for each plugin that failed since this was last called."""
    for plugin in plugins.all:
        if plugin.state == "failed" and not plugin.said:
            plugin.said = True
            why = f"dlm plugins --why {shlex.quote(plugin.name)}"
            print(f"warning: plugin {plugin.label} was left out: {plugin.why} ({why})", file=sys.stderr)


def _remember_choices(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for choice in value:
        if not choice.startswith("no:"):
            raise click.BadParameter(f"{choice!r} is not `no:NAME`", ctx, param)
    ctx.params["plugin_choices"] = value
    return value


@click.command(cls=DlmGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-P",
    "plugin_choices",
    multiple=True,
    is_eager=True,
    metavar="no:NAME",
    callback=_remember_choices,
    shell_complete=values.plugin_choices,
    help="Leave a plugin out, for this command.",
)
@click.version_option(__version__, "-V", "--version", message="dlm %(version)s")
@click.pass_context
def dlm(ctx: click.Context, /, **_: Any) -> None:
    """A document becomes a model.

    Write a .dlm file, then `dlm run` it: it is checked, a base model learns it, the model is asked the document's
    own questions, and the result is kept as a new version and exported.
    """
    plugins_of(ctx)
