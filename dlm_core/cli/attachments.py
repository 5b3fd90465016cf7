"""`--attach KIND:PATH` and, for each kind of media that a plugin brings, its short form `--KIND PATH`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..api import Document, LocatedBase, Media, Message, PluginMissingError, RunFailedError, Text, UsageError
from ..plugins import Plugins
from ..spelling import closest
from .group import plugins_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import CompletionItem


class Kinds(click.ParamType[str]):
    """`KIND:PATH`, completed first by the kinds there are, then by files."""

    name = "KIND:PATH"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        kind, colon, path = incomplete.partition(":")
        if colon:
            folder = Path(path).parent
            found = sorted(one for one in folder.glob("*") if str(one).startswith(path.removeprefix("./")))
            return [CompletionItem(f"{kind}:{one}{'/' if one.is_dir() else ''}") for one in found]
        return [CompletionItem(f"{name}:") for name in plugins_of(ctx).media_kinds if name.startswith(kind)]


class AttachingCommand(click.Command):
    """A command with `--attach` that also takes `--KIND PATH` for each kind of media, unless it has such an option."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        taken = {option for param in params for option in param.opts}
        path = click.Path(dir_okay=False)
        short = [
            click.Option([f"--{kind}"], type=path, expose_value=False, help=f"Short for --attach {kind}:PATH.")
            for kind in plugins_of(ctx).media_kinds
            if f"--{kind}" not in taken
        ]
        return [*params[:-1], *short, params[-1]]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write short forms out, so that files keep the order in which they are given."""
        own = {option for param in self.params for option in param.opts}
        short = {f"--{kind}" for kind in plugins_of(ctx).media_kinds} - own
        ends = args.index("--") if "--" in args else len(args)
        out: list[str] = []
        waiting = ""
        for arg in args[:ends]:
            name, equals, value = arg.partition("=")
            if waiting:
                out, waiting = [*out, f"{waiting}:{arg}"], ""
            elif name in short:
                out.append("--attach")
                out, waiting = ([*out, f"{name[2:]}:{value}"], "") if equals else (out, name[2:])
            else:
                out.append(arg)
        if waiting:
            raise click.BadOptionUsage(waiting, f"Option '--{waiting}' requires an argument.", ctx)
        return super().parse_args(ctx, [*out, *args[ends:]])


def attach_option(command: Any) -> Any:
    """The option `--attach`, any number of times."""
    return click.option(
        "--attach", "attached", multiple=True, type=Kinds(), help="Show the model a file with the question."
    )(command)


def read_attached(attached: Iterable[str], doc: Document, base: LocatedBase, plugins: Plugins) -> list[Media]:
    """The files of `KIND:PATH` words, looked at as the base will see them.

    Raises UsageError for a word that is no such thing, an unknown kind, a base that does not take it, or a file that
    cannot be used; PluginMissingError for a kind of a plugin that is not at work.
    """
    return [_read(word, doc, base, plugins) for word in attached]


def _read(word: str, doc: Document, base: LocatedBase, plugins: Plugins) -> Media:
    from ..media import media_part, media_reader

    kind, colon, path = word.partition(":")
    if not colon or not kind or not path:
        raise UsageError(f"{word!r} does not say what it is", "write the kind before it: `--attach KIND:PATH`")
    if kind not in plugins.media_kinds:
        raise _unknown(kind, plugins)
    accepts = base.model.accepts
    if kind not in accepts:
        can = [key for key, other in plugins.base_models.items() if kind in other.accepts]
        raise UsageError(
            f"the base {base.model.key} takes no {kind}", f"bases that can: {', '.join(can) or 'none here'}"
        )
    one = plugins.media_kinds[kind]
    try:
        part = media_part(kind, Path(path).absolute(), one.options(doc.config))
    except ValueError as error:
        raise UsageError(str(error), "name a file that is there: `--attach KIND:PATH`") from error
    try:
        one.probe(Path(part.path))
        media_reader(plugins, accepts, base.cache).facts(part)
    except (ValueError, OSError, RunFailedError) as error:
        why = (getattr(error, "strerror", None) or str(error)).removeprefix(f"{part.path} cannot be used: ")
        raise UsageError(f"{path} cannot be used: {why}", getattr(error, "hint", None)) from error
    return part


def _unknown(kind: str, plugins: Plugins) -> UsageError | PluginMissingError:
    if hint := plugins.hint("media kind", kind):
        return PluginMissingError(f"media of the kind {kind} needs a plugin that is not at work here", hint.text)
    close = closest(kind, plugins.media_kinds)
    known = f"did you mean `{close}`?" if close else f"there are: {', '.join(plugins.media_kinds) or 'none'}"
    return UsageError(f"there is no kind of media {kind!r}", known)


def asking(media: Sequence[Media], text: str) -> Message:
    """What is asked, behind the files it is asked about."""
    return Message("user", (*media, Text(text)))


def usual_question(media: Sequence[Media], plugins: Plugins) -> str:
    """What a file is asked when nothing else is; empty without files."""
    return plugins.media_kinds[media[0].kind].question if media else ""
