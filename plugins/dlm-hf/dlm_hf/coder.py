"""A base's tokenizer and chat template, read from its files.  Imports no torch and no transformers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dlm_core.api import BaseMissingError, Message, RunFailedError, Text
from dlm_core.clock import without_clock

from . import template
from .expanding import expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

    from .modalities import Senses

# Templates of models that think aloud write the empty thought themselves, in training and when asked.
_VARIABLES: Mapping[str, Any] = {"enable_thinking": False}


@dataclass(frozen=True, slots=True)
class Coder:
    """Text to ids and back, as one base does it.

    `vocabulary_size` is the largest id plus one.  `stop_ids` end an answer; `eos_id` ends a document and is one of
    them.  `pad_id` fills a batch and may equal a learned token, since masks go by position.  `bos_id` is None when
    the base has none; `adds_bos` says whether running text starts with it.  `chat_template` is "" when the base has
    neither a template nor ChatML's tokens.  `sha256` identifies the tokenizer: its file and the tokens added to it.
    """

    tokenizer: Tokenizer = field(repr=False, compare=False)
    vocabulary_size: int
    bos_id: int | None
    eos_id: int
    pad_id: int
    stop_ids: frozenset[int]
    adds_bos: bool
    chat_template: str = field(repr=False)
    special_tokens: Mapping[str, str]
    sha256: str = ""
    senses: Senses | None = field(default=None, repr=False, compare=False)

    def encode(self, text: str) -> list[int]:
        """Ids of rendered text: special tokens are recognised, none is added."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def render(self, messages: Sequence[Message], system_prompt: str | None = None, answer_next: bool = True) -> str:
        """The chat template's text; `system_prompt` opens it unless the messages bring a system message.

        Raises RunFailedError when there is no template, or when it refuses or drops a message.
        """
        plain = self._plain(messages, system_prompt)
        text = template.render(self._template(), plain, self._variables(), answer_next)
        for role, said in ((message["role"], said) for message in plain for said in _texts(message["content"])):
            if said.strip() not in text:
                raise RunFailedError(
                    f"the base's chat template leaves out the {role} message {said[:40]!r}",
                    "remove it from the document, or choose a base whose template knows that role",
                )
        return expand(text, messages, self.senses)[0]

    def answer_spans(self, messages: Sequence[Message], system_prompt: str | None) -> list[tuple[int, int]]:
        """Where the template's `{% generation %}` blocks lie in `render(…, answer_next=False)`, in characters."""
        plain = self._plain(messages, system_prompt)
        spans = template.answer_spans(self._template(), plain, self._variables())
        if not spans or self.senses is None:
            return spans
        moved = expand(template.render(self._template(), plain, self._variables(), False), messages, self.senses)[1]
        return [(moved(start), moved(end)) for start, end in spans]

    def message_spans(
        self, messages: Sequence[Message], system_prompt: str | None, answer_next: bool
    ) -> list[tuple[int, int]]:
        """Where each message's text, without outer blanks, lies in `render(…)`, in characters; empty if uncertain."""
        plain = self._plain(messages, system_prompt)
        if not all(isinstance(message["content"], str) for message in plain):
            return []
        spans = template.message_spans(self._template(), plain, self._variables(), answer_next)
        return spans[len(plain) - len(messages) :]

    def _template(self) -> str:
        if not self.chat_template:
            raise RunFailedError(
                "this base has no chat template, so questions and answers cannot be written for it",
                "choose an instruct variant of the base, or write the document as prose only",
            )
        return self.chat_template

    def _variables(self) -> dict[str, Any]:
        return {**_VARIABLES, **self.special_tokens}

    def _plain(self, messages: Sequence[Message], system_prompt: str | None) -> list[dict[str, Any]]:
        """Messages as the template takes them: with contents as texts, or as lists of parts."""
        if system_prompt and not any(message.role == "system" for message in messages):
            messages = (Message.of("system", system_prompt), *messages)
        texts = self.senses is None or template.takes_texts(self._template(), tuple(self._variables().items()))
        return [
            {"role": message.role, "content": message.text if texts and not message.media else self._parts(message)}
            for message in messages
        ]

    def _parts(self, message: Message) -> list[Mapping[str, str]]:
        if self.senses is None and message.media:
            raise RunFailedError(f"this base takes no {message.media[0].kind}", "choose a base that does")
        return [
            {"type": "text", "text": part.text} if isinstance(part, Text) else self.senses.content(part)  # type: ignore[union-attr]
            for part in message.content
        ]


def load_coder(folder: Path, senses: Senses | None = None) -> Coder:
    """Read a base's tokenizer, special tokens, stop tokens and chat template; `senses` are what it takes besides text.

    Raises BaseMissingError when `tokenizer.json` is missing or no end-of-sequence token is named anywhere.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BaseMissingError(
            f"{folder} has no tokenizer.json",
            "save the base with a fast tokenizer: AutoTokenizer.from_pretrained(…).save_pretrained(…)",
        )
    data = path.read_bytes()
    tokenizer = Tokenizer.from_buffer(data)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    settings = _json(folder / "tokenizer_config.json")
    _add_missing_tokens(tokenizer, settings)
    names = {**_special_tokens(_json(folder / "special_tokens_map.json")), **_special_tokens(settings)}
    source = _chat_template(folder, settings, tokenizer)
    ends = _stop_ids(folder, tokenizer, names, source)
    if not ends:
        raise BaseMissingError(
            f"{folder} names no end-of-sequence token", "add eos_token_id to its generation_config.json"
        )
    eos = tokenizer.token_to_id(names.get("eos_token", ""))
    eos = ends[0] if eos is None else eos
    bos = tokenizer.token_to_id(names.get("bos_token", ""))
    pad = tokenizer.token_to_id(names.get("pad_token", ""))
    return Coder(
        tokenizer=tokenizer,
        vocabulary_size=max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1,
        bos_id=bos,
        eos_id=eos,
        pad_id=eos if pad is None else pad,
        stop_ids=frozenset(ends),
        adds_bos=_adds_bos(tokenizer, settings, bos),
        chat_template=source,
        special_tokens=names,
        sha256=_digest(data, settings),
        senses=senses,
    )


def _texts(content: Any) -> list[str]:
    """The texts of a message's content as a template takes it."""
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]


def _digest(data: bytes, settings: Mapping[str, Any]) -> str:
    added = json.dumps(settings.get("added_tokens_decoder", {}), sort_keys=True)
    return "sha256 " + sha256(data + added.encode()).hexdigest()[:16]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def _special_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    """The `…_token` entries; a token is a string or an object with its `content`."""
    found = {}
    for name, value in settings.items():
        text = value.get("content") if isinstance(value, dict) else value
        if name.endswith("_token") and isinstance(text, str):
            found[name] = text
    return found


def _add_missing_tokens(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> None:
    """Tokens that only tokenizer_config.json declares, in the order of their ids."""
    from tokenizers import AddedToken

    declared = sorted(settings.get("added_tokens_decoder", {}).items(), key=lambda item: int(item[0]))
    for _, value in declared:
        if tokenizer.token_to_id(value["content"]) is None:
            token = AddedToken(value["content"], special=value.get("special", False), normalized=False)
            tokenizer.add_tokens([token])


def _chat_template(folder: Path, settings: Mapping[str, Any], tokenizer: Tokenizer) -> str:
    """The base's template with its date fixed; ChatML when there is none but its tokens exist; else ""."""
    if found := template.read(folder, settings):
        return without_clock(found)
    if all(tokenizer.token_to_id(name) is not None for name in ("<|im_start|>", "<|im_end|>")):
        return template.CHATML
    return ""


def _stop_ids(folder: Path, tokenizer: Tokenizer, names: Mapping[str, str], source: str) -> list[int]:
    """Every id that may end an answer, the most telling first."""
    found: list[int | None] = [tokenizer.token_to_id(names.get("eos_token", ""))]
    for name in ("generation_config.json", "config.json"):
        found += _as_list(_json(folder / name).get("eos_token_id"))
    if source == template.CHATML:
        found.append(tokenizer.token_to_id("<|im_end|>"))
    return list(dict.fromkeys(one for one in found if one is not None))


def _as_list(value: int | Iterable[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else list(value)


def _adds_bos(tokenizer: Tokenizer, settings: Mapping[str, Any], bos: int | None) -> bool:
    if bos is None:
        return False
    ids = tokenizer.encode("a", add_special_tokens=True).ids
    return bool(settings.get("add_bos_token", bool(ids) and ids[0] == bos))
