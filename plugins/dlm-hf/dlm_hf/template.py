"""Chat templates, rendered the way transformers renders them, without importing transformers.

A template comes from a model hub and is untrusted code, so it runs in jinja's immutable sandbox.  It has no clock:
with today's date in every prompt a row would have other ids tomorrow, and the same seed would train other bits.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dlm_core.api import RunFailedError
from dlm_core.clock import TODAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jinja2 import Template
    from jinja2.parser import Parser

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""What a base without a template of its own gets when its tokenizer knows ChatML's tokens."""

# Unicode noncharacters: never part of a valid text, so they can stand for the two ends of a generation block.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_MARKS = re.compile(f"[{_OPEN}{_CLOSE}]")
_FROM, _TO = "\ufdd2", "\ufdd3"


def read(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """The template in a folder: chat_template.jinja, or that of an older processor, or tokenizer_config.json's.

    `settings` are those of tokenizer_config.json.
    """
    path, older = folder / "chat_template.jinja", folder / "chat_template.json"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    processors = json.loads(older.read_text(encoding="utf-8")) if older.is_file() else {}
    found: Any = processors.get("chat_template") or settings.get("chat_template")
    if isinstance(found, list):
        return next((one["template"] for one in found if one["name"] == "default"), None)
    return found or None


def render(source: str, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any], answer_next: bool) -> str:
    """The text of a conversation.  `answer_next` adds the header of the answer that the model is to write.

    Raises RunFailedError with the template's own words when it refuses the messages.
    """
    return _run(_compile(source, marked=False), messages, variables, answer_next)


@lru_cache(maxsize=8)
def takes_texts(source: str, variables: tuple[tuple[str, Any], ...]) -> bool:
    """Whether the template writes a content that is a text: some know only lists of parts."""
    try:
        return "seen?" in render(source, [{"role": "user", "content": "seen?"}], dict(variables), answer_next=False)
    except RunFailedError:
        return False


def answer_spans(
    source: str, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]
) -> list[tuple[int, int]]:
    """Where the `{% generation %}` blocks lie in the rendered conversation, in characters; empty without such blocks.

    Empty too when the template reworks a block after writing it, because the marks then change the text.
    """
    if not re.search(r"\{%-?\s*generation\s*-?%\}", source):
        return []
    marked = _run(_compile(source, marked=True), messages, variables, answer_next=False)
    plain = _run(_compile(source, marked=False), messages, variables, answer_next=False)
    spans, start = [], 0
    for marks, found in enumerate(_MARKS.finditer(marked)):
        here = found.start() - marks
        if found.group() == _OPEN:
            start = here
        else:
            spans.append((start, here))
    return spans if _MARKS.sub("", marked) == plain else []


def message_spans(
    source: str, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any], answer_next: bool
) -> list[tuple[int, int]]:
    """Where each message's content, without outer blanks, lies in the rendered conversation, in characters.

    Empty when the template reworks contents or their order, so that their places are not certain.
    """
    marked = []
    for message in messages:
        inner = message["content"].strip()
        lead, _, tail = message["content"].partition(inner) if inner else (message["content"], "", "")
        marked.append({**message, "content": f"{lead}{_FROM}{inner}{_TO}{tail}"})
    template = _compile(source, marked=False)
    plain = _run(template, messages, variables, answer_next)
    try:
        text = _run(template, marked, variables, answer_next)
    except RunFailedError:  # it looks into the contents and does not know what to make of the marks
        return []
    if re.sub(f"[{_FROM}{_TO}]", "", text) != plain:
        return []
    found = [(one.start(), one.end()) for one in re.finditer(f"{_FROM}[^{_TO}]*{_TO}", text)]
    spans = [(start - 2 * index, end - 2 * index - 2) for index, (start, end) in enumerate(found)]
    inner_texts = [message["content"].strip() for message in messages]
    return spans if [plain[start:end] for start, end in spans] == inner_texts else []


def _run(
    template: Template, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any], answer_next: bool
) -> str:
    from jinja2 import TemplateError

    try:
        return template.render(
            messages=[dict(message) for message in messages],
            tools=None,
            documents=None,
            add_generation_prompt=answer_next,
            **variables,
        )
    except (TemplateError, TypeError) as error:
        raise RunFailedError(
            f"the base's chat template refuses this conversation: {error}",
            "many templates have no system role, or want question and answer to alternate; "
            "change the document's messages or choose another base",
        ) from error


@lru_cache(maxsize=8)
def _compile(source: str, marked: bool) -> Template:
    """The template in an environment like that of transformers' `apply_chat_template`."""
    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_generation(marked), loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = TODAY.strftime
    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise RunFailedError(f"the base's chat template is not valid jinja: {error}") from error


def _generation(marked: bool) -> type:
    """The extension for `{% generation %} … {% endgeneration %}`, which marks the block's ends or does nothing."""
    from jinja2 import nodes
    from jinja2.ext import Extension

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012 - jinja declares it so

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

        def _write(self, caller: Any) -> str:
            text: str = caller()
            return f"{_OPEN}{text}{_CLOSE}" if marked else text

    return Generation


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)
