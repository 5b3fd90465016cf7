"""Write the generated parts of the pages: `python docs/_tools`; with `--check`, only say which are out of date.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.  The parts are committed, so that the
pages can be read in the repository and a change of an interface shows in its own diff; a test runs `--check`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import codes
import commands
import exceptions
import keys

DOCS = Path(__file__).resolve().parents[1]
PART = re.compile(r"(<!-- generated: ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)

#: What makes the part of a name; `command` gets the words after it.
MAKERS: dict[str, Callable[..., str]] = {
    "command": commands.command,
    "group": commands.group,
    "keys": keys.table,
    "codes": codes.pages,
    "exceptions": exceptions.table,
}


def written(text: str) -> str:
    """A page's text with its generated parts as they should be."""

    def part(found: re.Match[str]) -> str:
        maker, *words = found[2].split()
        return f"{found[1]}\n{MAKERS[maker](*words).strip()}\n\n{found[3]}"

    return PART.sub(part, text)


def main(arguments: list[str]) -> int:
    stale = []
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (new := written(text)) != text:
            stale.append(page.relative_to(DOCS.parent))
            if "--check" not in arguments:
                page.write_text(new, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'out of date: run `python docs/_tools`' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
