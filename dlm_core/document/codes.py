"""The code of every problem a document can have, with a one-line title."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    # Frontmatter
    "DLM0101": "unknown key",
    "DLM0102": "missing key",
    "DLM0103": "duplicate key",
    "DLM0104": "value not allowed",
    "DLM0105": "the document does not start with a frontmatter",
    "DLM0106": "the frontmatter is never closed",
    "DLM0107": "the frontmatter is not valid YAML or TOML",
    "DLM0108": "a YAML feature that documents do not use",
    "DLM0109": "the frontmatter is too large or too deep",
    "DLM0110": "control character in the frontmatter",
    "DLM0111": "the document is newer than this DLM",
    "DLM0112": "dlm_id is not an identifier made by DLM",
    "DLM0113": "settings of one adapter beside a table of adapters",
    "DLM0114": "an empty table of adapters",
    "DLM0115": "an old key and the key that replaced it",
    "DLM0116": "a rule of a configuration block does not hold",
    # Bytes, body and sections
    "DLM0201": "unknown section type",
    "DLM0202": "a section without content",
    "DLM0203": "a line that looks like a section fence",
    "DLM0204": "a code block that is never closed",
    "DLM0205": "unknown attribute",
    "DLM0206": "missing attribute",
    "DLM0207": "repeated attribute",
    "DLM0208": "undeclared adapter",
    "DLM0209": "text where a section has none",
    "DLM0210": "a provenance marker that is not well-formed",
    "DLM0211": "a provenance marker on the wrong kind of section",
    "DLM0212": "NUL byte in the body",
    "DLM0213": "bytes that are not UTF-8",
    "DLM0214": "byte order mark",
    "DLM0215": "a media file that cannot be read",
    "DLM0221": "text before the first header",
    "DLM0222": "text on a header's line",
    "DLM0223": "a part of a section is missing",
    "DLM0224": "a part of a section is empty",
    "DLM0225": "a section that its type cannot turn into rows",
    "DLM0226": "a header that is not spelt as it must be",
    # Missing plugins
    "DLM0301": "a plugin is not installed",
    "DLM0302": "a plugin is disabled",
    "DLM0303": "a plugin failed",
    "DLM0304": "a name claimed twice",
    # Base model and plan
    "DLM0130": "a base model that cannot be used",
    "DLM0401": "rows that no trainer takes",
    "DLM0402": "text longer than the sequence length is split",
    "DLM0403": "a conversation longer than what is allowed or read",
    "DLM0404": "a conversation that is cut or skipped, as asked",
    "DLM0405": "a micro batch larger than the free memory",
    # Sources
    "DLM0501": "a source that does not exist",
    "DLM0502": "a source that leads out of the document's folder",
    "DLM0503": "more files than a source allows",
    "DLM0504": "a file that was skipped",
    "DLM0505": "a secret named as a source",
    "DLM0506": "a source that cannot be read",
    "DLM0508": "rules for a source that cannot be used",
}
