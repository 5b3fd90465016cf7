"""The options `--NAME auto|off` that routers give to the commands which ask a trained version."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..answering import Wanted
    from ..plugins import Plugins

#: The commands that answer with a version's adapters.
COMMANDS = frozenset({"prompt", "chat", "exam", "export"})
_ASKED = "dlm.routers"


def with_routers(command: click.Command, plugins: Plugins) -> click.Command:
    """The command with an option for each router; one that takes the name of another option fails its plugin."""
    taken = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    options = []
    for name, router in plugins.routers.items():
        if f"--{name}" in taken:
            owner = plugins.routers.owner(name)
            owner.fail(RuntimeError(f"the router {name!r} would be the option --{name}, which commands have already"))
            continue
        options.append(_option(name, router.help))
    if not options:
        return command
    found = copy.copy(command)
    found.params = [*command.params, *options]
    return found


def _option(name: str, help_: str) -> click.Option:
    def remember(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta.setdefault(_ASKED, {})[name] = value

    choice = click.Choice(["auto", "off"])
    return click.Option([f"--{name}", f"router_{name}"], type=choice, help=help_, callback=remember, expose_value=False)


def read_wanted(adapter: str | None, mix: str | None) -> Wanted:
    """What this command line says about who answers.  Raises UsageError for what cannot both be asked."""
    from ..answering import Wanted

    asked: dict[str, str] = click.get_current_context().meta.get(_ASKED, {})
    off, on = ({name for name, value in asked.items() if value == which} for which in ("off", "auto"))
    return Wanted(adapter, mix, frozenset(off), frozenset(on))
