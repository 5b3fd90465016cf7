"""Which of llama.cpp's built-in pre-tokenizers a tokenizer.json has, told by its structure.

llama.cpp knows pre-tokenizers by name, not by rule; a retrained or extended tokenizer keeps the rule and loses the
name.  Whatever is found here is proved afterwards, on many texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlm_core.api import ExportFailedError

_GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: (splitting steps, whether BPE takes a whole word that is a token without merging) -> llama.cpp's name.
_KNOWN: Mapping[tuple[tuple[str, ...], bool], str] = {
    (("gpt2",), False): "gpt-2",
    (("digits", "gpt2"), False): "smollm",
    ((_GPT4 % "{1,3}",), True): "llama-bpe",
    ((_GPT4 % "{1,3}",), False): "smaug-bpe",
    ((_GPT4 % "",), False): "qwen2",
    ((_TEKKEN,), True): "tekken",
    ((_TEKKEN,), False): "tekken",
}


def identify(data: Mapping[str, Any]) -> tuple[str, str]:
    """llama.cpp's tokenizer model (`gpt2` or `llama`) and pre-tokenizer name.  Raises ExportFailedError."""
    model = data["model"]
    if model.get("type") != "BPE" or not model.get("merges"):
        raise ExportFailedError(f"a tokenizer of type {model.get('type')} without BPE merges cannot be written as GGUF")
    if model.get("byte_fallback") and not _has(data.get("pre_tokenizer"), "ByteLevel"):
        return "llama", "default"
    steps = tuple(_steps(data.get("pre_tokenizer")))
    name = _KNOWN.get((steps, bool(model.get("ignore_merges"))))
    if name is None:
        raise ExportFailedError(
            f"llama.cpp has no pre-tokenizer that splits text as this tokenizer does: {list(steps)}",
            "Known are those of GPT-2, SmolLM, Llama 3, Qwen 2 and 3, Mistral and SentencePiece.",
        )
    return "gpt2", name


def add_space_prefix(data: Mapping[str, Any]) -> bool:
    """Whether a SentencePiece-style tokenizer puts a space before a text."""
    normalizer, splitter = data.get("normalizer"), data.get("pre_tokenizer") or {}
    if _has(normalizer, "Prepend"):
        return True
    return splitter.get("type") == "Metaspace" and splitter.get("prepend_scheme", "always") != "never"


def _steps(node: Mapping[str, Any] | None) -> list[str]:
    match (node or {}).get("type"):
        case "Sequence":
            return [step for child in (node or {})["pretokenizers"] for step in _steps(child)]
        case "Split" if node and node.get("behavior") == "Isolated" and not node.get("invert"):
            return [next(iter(node["pattern"].values()))]
        case "Digits" if node and node.get("individual_digits"):
            return ["digits"]
        case "ByteLevel" if node and not node.get("add_prefix_space"):
            return ["gpt2"] if node.get("use_regex", True) else []
        case kind:
            return [f"unknown:{kind}"]


def _has(node: Mapping[str, Any] | None, kind: str) -> bool:
    if not node:
        return False
    children = node.get("pretokenizers") or node.get("normalizers") or []
    return node.get("type") == kind or any(_has(child, kind) for child in children)
