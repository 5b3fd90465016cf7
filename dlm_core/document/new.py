"""The text of a fresh document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ulid import ULID

from .versions import VERSION
from .yaml_emit import fits_literal, inline, literal_lines


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
        elif isinstance(value, str) and "\n" in value.strip("\n") and fits_literal(value):
            yield f"{indent}{name}: |{'' if value.endswith(chr(10)) else '-'}{comment}"
            yield from literal_lines(value, f"{indent}  ")
        else:
            yield f"{indent}{name}: {inline(value)}{comment}"
