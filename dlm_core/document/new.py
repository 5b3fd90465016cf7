"""The text of a fresh document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ulid import ULID

from .versions import VERSION

#: Text that YAML reads as itself without quotes, in any position.
_SAFE = re.compile(r"[A-Za-z_./~](?:[A-Za-z0-9_./~@+-]|:(?=\w))*(?: [A-Za-z0-9_./~@+-]+)*|[0-9A-Z]{26}")
_LITERAL = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]*")


def new_document(
    base_model: str, settings: Mapping[str, Any], body: str, comments: Mapping[str, str] | None = None
) -> str:
    """A document with a new `dlm_id` that trains `base_model` on `body`.

    `settings` maps dotted keys (`training.lora_r`, `system_prompt`) to JSON values.  `comments` maps dotted keys,
    those of blocks included, to one line each, written beside the key.
    """
    tree: dict[str, Any] = {"dlm_id": str(ULID()), "dlm_version": VERSION, "base_model": base_model}
    for key, value in settings.items():
        *parents, name = key.split(".")
        block = tree
        for parent in parents:
            block = block.setdefault(parent, {})
        block[name] = value
    lines = "\n".join(_lines(tree, "", comments or {}))
    return f"---\n{lines}\n---\n\n{body.strip(chr(10))}\n"


def _lines(block: Mapping[str, Any], above: str, comments: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * above.count(".")
    for name, value in block.items():
        key = above + name
        comment = f"  # {comments[key]}" if key in comments else ""
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:{comment}"
            yield from _lines(value, f"{key}.", comments)
        elif isinstance(value, str) and "\n" in value.strip("\n") and _fits_literal(value):
            yield f"{indent}{name}: |{'' if value.endswith(chr(10)) else '-'}{comment}"
            yield from (f"{indent}  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
        else:
            yield f"{indent}{name}: {_flow(value)}{comment}"


def _fits_literal(value: str) -> bool:
    """Whether a literal block keeps the text: no leading blank, no run of line ends at its end."""
    return bool(_LITERAL.fullmatch(value)) and not value.startswith((" ", "\n", "\t")) and not value.endswith("\n\n")


def _flow(value: Any) -> str:
    from .yaml_text import scalar

    if isinstance(value, str) and _SAFE.fullmatch(value) and isinstance(scalar(value), str):
        return value
    # JSON is YAML, except that JSON leaves invisible characters as they are.
    plain = not isinstance(value, str) or bool(_LITERAL.fullmatch(value))
    return json.dumps(value, ensure_ascii=not plain)
