"""`dlm chat`: a conversation with the trained model."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..api import Message, Sampling
from ..api.interfaces import OpenModel
from ..plugins import Plugins
from .common import adapter_option, document_argument, mix_option, say_mix, version_option
from .prompt import read_sampling, sampling_options
from .routers import read_wanted

HELP = "/new forgets the conversation, /base switches the adapter off and on, /bye leaves"


@click.command()
@document_argument
@sampling_options
@version_option
@adapter_option
@mix_option
@click.pass_obj
def chat(
    plugins: Plugins,
    document: Path,
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
    with open_wanted(wanted, version, base, plugins) as (model, chosen):
        if chosen.mix:
            say_mix(chosen.mix)
        if sys.stdin.isatty():
            import readline  # noqa: F401  (gives input() history and editing)

            print(f"{document.name} version {version.number} on {base.model.key}; {HELP}", file=sys.stderr)
        _converse(model, sampling, chosen.name, chosen.duty.name if chosen.duty else f"adapter {chosen.name}")


def _converse(model: OpenModel, sampling: Sampling, name: str, who: str) -> None:
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
            case _ if line.startswith("/"):
                print(HELP, file=sys.stderr)
            case _:
                said.append(Message.of("user", line))
                said.append(Message.of("assistant", _answer(model, said, sampling, use)))


def _answer(model: OpenModel, said: list[Message], sampling: Sampling, adapter: str | None) -> str:
    pieces = []
    for piece in model.stream(said, sampling, adapter):
        pieces.append(piece)
        print(piece, end="", flush=True)
    print(flush=True)
    return "".join(pieces)
