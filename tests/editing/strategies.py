"""Documents as people write them: every style of frontmatter and line end, in any mixture."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

ID = "01KAPQ5T0J8E6M3Y7VZ2R4W9XC"

printable = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff")
line = st.text(st.one_of(st.sampled_from("ab #:-'\"[]{},&*!|>%@`~=\t"), printable), max_size=12)
words = st.sampled_from(
    ["tiny", "no", "1e-4", "null", "a: b", "# c", "it's", '"q"', "ünï 🙂", "- x", "[a", "{", "on", ""]
)
texts = st.one_of(words, line, st.lists(line, min_size=2, max_size=4).map("\n".join))
scalars = st.one_of(st.integers(-5, 500), st.booleans(), st.sampled_from([0.5, 1e-4, 2e20]), texts)
lists = st.lists(st.one_of(st.integers(0, 9), words), max_size=4)
names = st.sampled_from(["a", "b", "lora_r", "seed", "x-y", "no", "sources"])
blocks = st.dictionaries(names, st.one_of(scalars, lists), min_size=1, max_size=2)
values = st.one_of(scalars, lists, blocks)
comments = st.sampled_from(["", "", "", "  # note", " # a: b  "])


@st.composite
def yaml_lines(draw: Any, data: dict[str, Any], indent: int = 0, step: int = 2) -> list[str]:
    """Lines that read as `data`, in styles that are drawn."""
    out: list[str] = []
    pad = " " * indent
    for name, value in data.items():
        out += draw(st.sampled_from([[], [], [""], [f"{pad}# about it"], ["# far left"]]))
        comment = draw(comments)
        key = f"{pad}{draw(st.sampled_from([name, json.dumps(name, ensure_ascii=False)]))}:"
        if isinstance(value, dict) and value and draw(st.booleans()):
            out += [key + comment, *draw(yaml_lines(value, indent + step, step))]
        elif isinstance(value, list) and value and draw(st.booleans()):
            inner = pad + " " * draw(st.sampled_from([0, step]))
            out += [
                key + comment,
                *(f"{inner}- {json.dumps(item, ensure_ascii=False)}{draw(comments)}" for item in value),
            ]
        else:
            out.append(f"{key} {json.dumps(value, ensure_ascii=False)}{comment}")
    return out


def front_of(kind: str) -> st.SearchStrategy[list[str]]:
    """The lines of a frontmatter of this syntax."""
    data = st.dictionaries(names, st.one_of(scalars, lists, blocks, st.dictionaries(names, blocks, max_size=2)))
    return data.flatmap(yaml_lines) if kind == "yaml" else data.map(toml_lines)


def toml_lines(data: dict[str, Any]) -> list[str]:
    out = ["# top", *(f"{name} = {_toml(value)}  # c" for name, value in data.items() if not isinstance(value, dict))]
    for name, value in data.items():
        if isinstance(value, dict):
            out += ["", f"[{name}] # table", *(f"{key}  =  {_toml(inner)}" for key, inner in value.items())]
    return out


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


body_lines = st.one_of(
    line.filter(lambda text: not text.startswith(("::", "```", "~~~"))),
    st.sampled_from(["", "", "   ", "```\n::prose::\n```", "text", "### Q", "### A", "::not a fence"]),
)
fences = st.sampled_from(
    ["::prose::", "::instruction::", "::prose::  ", '::picture path="a b"  alt="c"::', "::prose#tone::\t", "::x::"]
)
markers = st.sampled_from(['<!-- dlm-auto-harvest: source="a" -->', '<!--dlm-auto-harvest:  source="b" -->  '])


@st.composite
def bodies(draw: Any) -> list[str]:
    """The lines of a body: prose, sections, code blocks, markers."""
    out = draw(st.lists(body_lines, max_size=3))
    for _ in range(draw(st.integers(0, 4))):
        out += [draw(fences), *draw(st.lists(markers, max_size=2)), *draw(st.lists(body_lines, max_size=4))]
    return [part for text in out for part in text.split("\n")]


@st.composite
def documents(draw: Any, kind: str | None = None) -> bytes:
    """A document: BOM or none, LF, CRLF and CR in any mixture, with or without a last line end."""
    kind = kind or draw(st.sampled_from(["yaml", "toml"]))
    mark = "---" if kind == "yaml" else "+++"
    equals = ": " if kind == "yaml" else " = "
    front = [f'dlm_id{equals}"{ID}"', *draw(front_of(kind))]
    lines = [mark, *front, mark, *draw(bodies())]
    style = draw(st.sampled_from(["\n", "\r\n", "\r", "mixed"]))
    ends = [draw(st.sampled_from(["\n", "\r\n", "\r"])) if style == "mixed" else style for _ in lines]
    text = "".join(text + end for text, end in zip(lines, ends, strict=True))
    if draw(st.booleans()) and len(lines) > len(front) + 2:
        text = text[: -len(ends[-1])]
    return (draw(st.sampled_from(["", "\ufeff"])) + text).encode()
