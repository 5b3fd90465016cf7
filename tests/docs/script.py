"""A page as a script: its blocks in order, what each is for, and whether output is what the page says.

A ```sh block is run.  The ```text block after it is its output, beginning and end included: `…` stands for any text in
a line, a line of only `…` for any number of lines.  Marks before a block say otherwise:

- `<!-- file: NAME -->` and `<!-- append: NAME -->`: the reader writes the block into this file;
- `<!-- part of: NAME -->`: the block's lines stand in this file;
- `<!-- run instead: COMMAND -->`: the part of a fixed command line that can run here;
- `<!-- given: NAME -->`: the page begins with this prepared folder.

Inside a ```sh block, `# exit code N` says how it ends, and a first line `# not tested: REASON` that it cannot run here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PART = re.compile(r"^<!-- (?P<mark>[a-z ]+): (?P<what>.+?) -->$|^```(?P<lang>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
_EXIT = re.compile(r"# exit code (\d+)\s*$")
_NOT_TESTED = re.compile(r"# not tested: (.+)\n")
_BLOCK_MARKS = ("file", "append", "part of", "run instead")


@dataclass(frozen=True, slots=True)
class Step:
    """One block: `kind` is sh, output, file, append, part of, given, or not tested."""

    kind: str
    text: str
    name: str = ""
    line: int = 0

    @property
    def exit_code(self) -> int:
        found = _EXIT.search(self.text)
        return int(found[1]) if found else 0


def steps(page: str) -> Iterator[Step]:
    """The steps of a page, in order; blocks that nobody runs or writes are left out."""
    mark, what, after_sh = "", "", False
    for found in _PART.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        if found["mark"] == "given":
            yield Step("given", "", found["what"], line)
        elif found["mark"] in _BLOCK_MARKS:
            mark, what = found["mark"], found["what"]
        elif found["lang"] is not None:
            step = _block(found["lang"], found["text"], mark, what, after_sh, line)
            if step:
                yield step
            after_sh = step is not None and step.kind == "sh"
            mark, what = "", ""


def _block(lang: str, text: str, mark: str, what: str, after_sh: bool, line: int) -> Step | None:
    if mark == "run instead":
        return Step("sh", what, line=line)
    if mark:
        return Step(mark, text, what, line)
    if lang == "sh":
        reason = _NOT_TESTED.match(text)
        return Step("not tested", text, reason[1], line) if reason else Step("sh", text, line=line)
    return Step("output", text, line=line) if lang == "text" and after_sh else None


#: What differs from run to run or machine to machine: in a page, any of it stands for any other of the same kind.
_VARIABLE = {
    "id": r"01[0-9A-HJKMNP-TV-Z]{24}",
    "date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "hash": r"\b[0-9a-f]{12,}\b",
    "speed": r"[\d,]+ tok/s",
    "time": r"\b[\d.,]+ (?:s|min)\b",
    "memory": r"\b[\d.]+ [MG]B(?= of| free| peak| planned| \+|$)",
    "precision": r"\b(?:bf16|fp32)(?: \([^)\n]+\)|: [^\n]+$)",
    "processor": r"on \d+ × [^\n]+$",
    "decimal": r"\d+\.\d+",
    "percent": r"[+-]\d+%",
    "any": "…",
}
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _VARIABLE.items()))


def is_output(shown: str, real: str) -> bool:
    """Whether a page's block is what a command printed; numbers with a point may differ by a tenth, or a quarter."""
    lines = [line.rstrip() for line in shown.rstrip("\n").split("\n")]
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else f"{_line(line)}\n" for line in lines)
    text = "".join(f"{line.rstrip()}\n" for line in real.strip("\n").split("\n"))
    found = re.fullmatch(pattern, text)
    if not found:
        return False
    said = [float(number[0]) for line in lines for number in _TOKEN.finditer(line) if number["decimal"]]
    got = [float(number) for number in found.groups()]
    return all(abs(a - b) <= max(0.1, 0.25 * abs(b)) for a, b in zip(said, got, strict=True))


def _line(line: str) -> str:
    """A pattern for one line, in which each decimal number is a group."""
    out, last = [], 0
    for token in _TOKEN.finditer(line):
        kind = token.lastgroup or ""
        real = {"any": ".*?", "decimal": f"({_VARIABLE['decimal']})", "processor": "on .+"}.get(kind, _VARIABLE[kind])
        out += [re.escape(line[last : token.start()]), real.replace("$", "")]
        last = token.end()
    return "".join([*out, re.escape(line[last:])])
