"""Values to YAML that reads back as the same values, here and in YAML 1.1 alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

#: Text that YAML reads as itself without quotes, in any position.
SAFE = re.compile(r"[A-Za-z_./~](?:[A-Za-z0-9_./~@+-]|:(?=\w))*(?: [A-Za-z0-9_./~@+-]+)*|[0-9A-Z]{26}")
_LITERAL = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]*")
_INVISIBLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
#: What other tools, which read YAML 1.1, take for a truth value.
_OLD_BOOL = frozenset({"y", "n", "yes", "no", "on", "off"})


def is_plain(text: str) -> bool:
    """Whether a text needs no quotes."""
    from .yaml_text import scalar

    return bool(SAFE.fullmatch(text)) and isinstance(scalar(text), str) and text.lower() not in _OLD_BOOL


def fits_literal(text: str) -> bool:
    """Whether a literal block keeps the text: no leading blank, no run of line ends at its end."""
    return bool(_LITERAL.fullmatch(text)) and not text.startswith((" ", "\n", "\t")) and not text.endswith("\n\n")


def quoted(text: str) -> str:
    """A text in double quotes on one line, with every invisible character as an escape."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def inline(value: Any) -> str:
    """A value on one line, lists and blocks in flow style."""
    if isinstance(value, str):
        return value if is_plain(value) else quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{inline(name)}: {inline(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def literal_lines(text: str, indent: str) -> list[str]:
    """The lines of a literal block after its `|`: for text that `fits_literal`."""
    return [indent + line if line else "" for line in text.removesuffix("\n").split("\n")]
