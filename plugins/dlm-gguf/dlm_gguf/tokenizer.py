"""tokenizer.json as llama.cpp's vocabulary: token list, merges, special ids, chat template."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
from gguf import TokenType

from dlm_core.api import ExportFailedError
from dlm_core.clock import without_clock

from .families import Shape
from .pretokenizer import add_space_prefix, identify


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """What goes into `tokenizer.ggml.*`.  `model` is `gpt2` (byte-level BPE) or `llama` (SentencePiece style)."""

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[TokenType, ...]
    merges: tuple[str, ...]
    scores: tuple[float, ...]
    special: Mapping[str, int]
    add_bos: bool
    space_prefix: bool
    template: str | None
    normalizes: bool

    def comparable(self, texts: Iterable[str]) -> list[str]:
        """The texts in a form in which llama.cpp is known to split them as this tokenizer does.

        llama.cpp never normalizes, and its rule for `tekken` forgets that combining marks belong to words.
        """
        found = [unicodedata.normalize("NFC", text) if self.normalizes else text for text in texts]
        if self.pre != "tekken":
            return found
        return [text for text in found if not any(unicodedata.category(c).startswith("M") for c in text)]


def read_tokenizer(folder: Path, overlay: Path | None, shape: Shape, rows: int) -> Tokenizer:
    """Read the tokenizer from `overlay` (an adapter folder that carries one) or else from the base's `folder`.

    `rows` is the height of the embedding; ids without a token become unused padding tokens, and a tokenizer that
    knows more ids has as many tokens as it needs.
    Raises ExportFailedError for a tokenizer that llama.cpp cannot reproduce.
    """
    home = overlay if overlay is not None and (overlay / "tokenizer.json").is_file() else folder
    try:
        data = json.loads((home / "tokenizer.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExportFailedError(f"{home} holds no readable tokenizer.json: {error}") from error
    config = _json(home / "tokenizer_config.json")
    kind, pre = identify(data)
    tokens, types = _tokens(data, config, rows, kind)
    bos = _token_id(tokens, config.get("bos_token"), shape.bos)
    special = {"bos": bos, "pad": _token_id(tokens, config.get("pad_token"), shape.pad)}
    special |= {"unk": _token_id(tokens, config.get("unk_token") or data["model"].get("unk_token"), None)}
    template = read_template(home, config) or read_template(folder, _json(folder / "tokenizer_config.json"))
    special |= dict(zip(("eos", "eot"), _stops(tokens, config, shape, template), strict=True))
    return Tokenizer(
        model=kind,
        pre=pre,
        tokens=tokens,
        types=types,
        merges=tuple(m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]),
        scores=tuple(-float(index) for index in range(len(tokens))) if kind == "llama" else (),
        special={name: index for name, index in special.items() if index is not None},
        add_bos=_adds_bos(data, tokens, bos),
        space_prefix=add_space_prefix(data),
        template=template,
        normalizes="NFC" in json.dumps(data.get("normalizer")),
    )


def read_template(folder: Path, config: Mapping[str, Any]) -> str | None:
    """The chat template of a folder, its date fixed: chat_template.jinja, or in chat_template.json, or in `config`."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return without_clock(file.read_text("utf-8"))
    found = _json(folder / "chat_template.json").get("chat_template") or config.get("chat_template")
    if isinstance(found, list):
        found = next((entry["template"] for entry in found if entry["name"] == "default"), None)
    return without_clock(found) if found else None


def add_metadata(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """Write the `tokenizer.*` keys."""
    writer.add_tokenizer_model(tokenizer.model)
    writer.add_tokenizer_pre(tokenizer.pre)
    writer.add_token_list(list(tokenizer.tokens))
    writer.add_token_types([int(kind) for kind in tokenizer.types])
    if tokenizer.model == "llama":
        writer.add_token_scores(list(tokenizer.scores))
        writer.add_add_space_prefix(tokenizer.space_prefix)
    else:
        writer.add_token_merges(list(tokenizer.merges))
    for name, index in tokenizer.special.items():
        writer.add_uint32(f"tokenizer.ggml.{_KEYS[name]}_token_id", index)
    writer.add_add_bos_token(tokenizer.add_bos)
    writer.add_add_eos_token(False)
    if tokenizer.template:
        writer.add_chat_template(tokenizer.template)


_KEYS = {"bos": "bos", "eos": "eos", "eot": "eot", "pad": "padding", "unk": "unknown"}


def _tokens(
    data: Mapping[str, Any], config: Mapping[str, Any], rows: int, kind: str
) -> tuple[tuple[str, ...], tuple[TokenType, ...]]:
    named = {index: text for text, index in data["model"]["vocab"].items()}
    declared = {int(index): token for index, token in config.get("added_tokens_decoder", {}).items()}
    added = {index: token for index, token in declared.items() if index not in named}
    added |= {token["id"]: token for token in data.get("added_tokens", [])}
    named |= {index: token["content"] for index, token in added.items()}
    if not named:
        raise ExportFailedError("the tokenizer has no tokens")
    rows = max(rows, max(named) + 1)
    unknown = data["model"].get("unk_token")
    tokens, types = [], []
    for index in range(rows):
        text = named.get(index, f"[PAD{index}]")
        tokens.append(text)
        types.append(_token_type(index, text, added, named, unknown if kind == "llama" else None))
    return tuple(tokens), tuple(types)


def _token_type(
    index: int, text: str, added: Mapping[int, Any], named: Mapping[int, str], unknown: str | None
) -> TokenType:
    if index not in named:
        return TokenType.UNUSED
    if unknown is not None and text == unknown:
        return TokenType.UNKNOWN
    if index in added:
        return TokenType.CONTROL if added[index].get("special") else TokenType.USER_DEFINED
    if unknown is not None and len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return TokenType.BYTE
    return TokenType.NORMAL


def _stops(
    tokens: tuple[str, ...], config: Mapping[str, Any], shape: Shape, template: str | None
) -> tuple[int | None, int | None]:
    """The ids written as eos and eot: the tokenizer's own eos, and another that ends a turn in the template."""
    eos = _token_id(tokens, config.get("eos_token"), shape.eos[0] if shape.eos else None)
    others = [index for index in shape.eos if index != eos and index < len(tokens)]
    ending = [index for index in others if template and tokens[index] in template]
    return eos, ending[0] if ending else None


def _token_id(tokens: tuple[str, ...], token: Any, fallback: int | None) -> int | None:
    text = token.get("content") if isinstance(token, Mapping) else token
    if text in tokens:
        return tokens.index(text)
    return fallback if fallback is not None and 0 <= fallback < len(tokens) else None


def _adds_bos(data: Mapping[str, Any], tokens: tuple[str, ...], bos: int | None) -> bool:
    """Whether the post-processor puts the bos token before a text."""
    processor = data.get("post_processor") or {}
    for step in processor.get("processors", [processor]):
        single = step.get("single") or [{}]
        first = single[0].get("SpecialToken")
        if first and bos is not None:
            return bool(first["id"] == tokens[bos])
    return False


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
