"""`dlm chat`: a conversation with the trained model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from ..api import DlmError, Media, Message, Sampling
from ..api.interfaces import OpenModel
from ..plugins import Plugins
from .attachments import AttachingCommand, asking, attach_option, read_attached
from .common import adapter_option, document_argument, mix_option, say_mix, version_option
from .prompt import read_sampling, sampling_options, spoken
from .routers import read_wanted

HELP = (
    "/new forgets the conversation, /base switches the adapter off and on, /attach KIND:PATH shows a file with the "
    "next question, /bye leaves"
)


@click.command(cls=AttachingCommand)
@document_argument
@attach_option
@sampling_options
@version_option
@adapter_option
@mix_option
@click.pass_obj
def chat(
    plugins: Plugins,
    document: Path,
    attached: tuple[str, ...],
    temperature: float | None,
    top_p: float | None,
    seed: int,
    max_tokens: int,
    number: int | None,
    adapter: str | None,
    mix: str | None,
) -> None:
    """Talk with the model trained on DOCUMENT."""
    from ..serving import locate_version, open_wanted

    wanted = read_wanted(adapter, mix)

    doc, version, base = locate_version(document, plugins, number)
    sampling = read_sampling(doc, temperature, top_p, seed, max_tokens)

    def attach(words: Iterable[str]) -> list[Media]:
        return read_attached(words, doc, base, plugins)

    shown = attach(attached)
    with open_wanted(wanted, version, base, plugins) as (model, chosen):
        if chosen.mix:
            say_mix(chosen.mix)
        if sys.stdin.isatty():
            import readline  # noqa: F401  (gives input() history and editing)

            print(f"{document.name} version {version.number} on {base.model.key}; {HELP}", file=sys.stderr)
        who = chosen.duty.name if chosen.duty else f"adapter {chosen.name}"
        _converse(model, sampling, chosen.name, who, shown, attach)


def _converse(
    model: OpenModel,
    sampling: Sampling,
    name: str,
    who: str,
    shown: list[Media],
    attach: Callable[[Iterable[str]], list[Media]],
) -> None:
    """Question by question; `shown` are the files that go with the next one."""
    said: list[Message] = []
    use: str | None = name
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        match line:
            case "":
                continue
            case "/bye" | "/exit" | "/quit":
                return
            case "/new":
                said.clear()
            case "/base":
                use = None if use else name
                print("the base alone" if use is None else f"with {who}", file=sys.stderr)
            case _ if line.startswith("/attach "):
                try:
                    shown += attach([line.removeprefix("/attach ").strip()])
                except DlmError as error:
                    print(error.message, *([error.hint] if error.hint else []), sep="; ", file=sys.stderr)
            case _ if line.startswith("/"):
                print(HELP, file=sys.stderr)
            case _:
                said.append(asking(shown, line))
                shown = []
                said.append(Message.of("assistant", _answer(model, said, sampling, use)))


def _answer(model: OpenModel, said: list[Message], sampling: Sampling, adapter: str | None) -> str:
    pieces = []
    for piece in spoken(model, said, sampling, adapter):
        pieces.append(piece)
        print(piece, end="", flush=True)
    print(flush=True)
    return "".join(pieces)
