"""`dlm prompt`: one question, one answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ..api import Document, Message, Sampling, UsageError
from ..api.interfaces import OpenModel
from ..plugins import Plugins
from .attachments import AttachingCommand, asking, attach_option, read_attached, usual_question
from .common import adapter_option, document_argument, json_option, mix_json, mix_option, say_mix, version_option
from .routers import read_wanted
from .terminal import print_json


def sampling_options(command: Any) -> Any:
    """How the next token is chosen; what is not given comes from the document's `export` block."""
    for option in reversed(
        [
            click.option("--temperature", type=click.FloatRange(0, 2), help="0 is greedy."),
            click.option("--top-p", type=click.FloatRange(0, 1, min_open=True)),
            click.option("--seed", type=int, default=0, show_default=True),
            click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True),
        ]
    ):
        command = option(command)
    return command


def read_sampling(
    doc: Document, temperature: float | None, top_p: float | None, seed: int, max_tokens: int
) -> Sampling:
    """The command line's wishes over the document's `export.default_temperature` and `default_top_p`."""
    block = doc.config["export"]
    if temperature is None:
        temperature = block.get("default_temperature") or 0.0
    if top_p is None:
        top_p = block.get("default_top_p") or 1.0
    return Sampling(max_tokens, temperature, top_p, seed)


@click.command(cls=AttachingCommand)
@document_argument
@click.argument("question", required=False)
@attach_option
@click.option("--stream/--no-stream", default=None, help="Show the answer as it is made (default: at a terminal).")
@click.option("--compare-base", is_flag=True, help="Also ask the base model alone.")
@click.option("--explain", is_flag=True, help="Say which adapters answer, with which weights, and why.")
@sampling_options
@version_option
@adapter_option
@mix_option
@json_option
@click.pass_obj
def prompt(
    plugins: Plugins,
    document: Path,
    question: str | None,
    attached: tuple[str, ...],
    stream: bool | None,
    compare_base: bool,
    explain: bool,
    temperature: float | None,
    top_p: float | None,
    seed: int,
    max_tokens: int,
    number: int | None,
    adapter: str | None,
    mix: str | None,
    as_json: bool,
) -> None:
    """Ask the model trained on DOCUMENT one QUESTION; without one (or with -) it is read from standard input.

    A file that is attached without a question is asked what its kind is usually asked.
    """
    from .. import answering
    from ..serving import locate_version, open_wanted

    wanted = read_wanted(adapter, mix)

    doc, version, base = locate_version(document, plugins, number)
    sampling = read_sampling(doc, temperature, top_p, seed, max_tokens)
    media = read_attached(attached, doc, base, plugins)
    text = _question(usual_question(media, plugins) or None if question is None else question)
    messages = (asking(media, text),)
    with open_wanted(wanted, version, base, plugins) as (model, chosen):
        name = chosen.name
        if chosen.mix and not as_json:
            say_mix(chosen.mix)
        who, route = answering.explain(wanted, chosen, model, messages)
        if explain and not as_json:
            print(f"{who:<10} {route.text}: {route.reason}", file=sys.stderr)
        if as_json:
            answers = {"answer": "".join(spoken(model, messages, sampling, name))}
            if compare_base:
                answers["base_answer"] = "".join(spoken(model, messages, sampling, None))
            about = mix_json(chosen.mix)
            if explain or chosen.duty:
                about["route"] = {"by": who, "weights": dict(route.weights), "reason": route.reason}
            if media:
                about["attachments"] = [{"kind": part.kind, "path": part.path} for part in media]
            print_json("prompt", {"version": version.number, "adapter": name, **about, "question": text, **answers})
            return
        streaming = sys.stdout.isatty() if stream is None else stream
        if compare_base:
            _say("base     ", spoken(model, messages, sampling, None), streaming)
            _say("adapter  ", spoken(model, messages, sampling, name), streaming)
        else:
            _say("", spoken(model, messages, sampling, name), streaming)


def spoken(model: OpenModel, messages: Sequence[Message], sampling: Sampling, adapter: str | None) -> Iterator[str]:
    """The answer piece by piece, from its first word on: some templates leave the space before it to the model."""
    begun = False
    for piece in model.stream(messages, sampling, adapter):
        words = piece if begun else piece.lstrip()
        begun = begun or bool(words)
        if words:
            yield words


def _question(given: str | None) -> str:
    if given is None or given == "-":
        if sys.stdin.isatty() and given is None:
            raise UsageError("what should be asked?", 'dlm prompt DOCUMENT "your question"')
        given = sys.stdin.read()
        if not given.strip():
            raise UsageError("no question was given", 'dlm prompt DOCUMENT "your question", or pipe one in')
    if not given.strip():
        raise UsageError("the question is empty", 'dlm prompt DOCUMENT "your question"')
    return given.strip()


def _say(label: str, pieces: Any, streaming: bool) -> None:
    print(label, end="", flush=True)
    if not streaming:
        pieces = ["".join(pieces)]
    for piece in pieces:
        print(piece, end="", flush=True)
    print(flush=True)
