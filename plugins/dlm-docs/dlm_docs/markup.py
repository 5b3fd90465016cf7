"""HTML to Markdown: one walk over the tree, without recursion, whatever its depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .grid import Cell, markdown_table, plain_table

#: Elements with a text of their own; what is in no such element goes on in the line it stands in.
BLOCKS = frozenset(
    [
        *("html", "body", "main", "article", "section", "div", "header", "footer", "aside", "address", "hgroup"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "menu", "li", "dl", "dt", "dd", "blockquote", "pre"),
        *("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "figure", "figcaption", "details"),
        *("summary", "form", "fieldset", "legend", "center", "hr", "head", "title", "search"),
    ]
)
#: Elements that are no text to learn, or no text at all.
DROPPED = frozenset(
    [
        *("script", "style", "noscript", "template", "nav", "svg", "iframe", "object", "embed", "canvas", "audio"),
        *("video", "img", "picture", "map", "button", "select", "textarea", "input", "datalist", "head", "aside"),
        *("annotation", "annotation-xml", "rp", "dialog"),
    ]
)
_ROLES = frozenset(
    {"navigation", "search", "complementary", "dialog", "alert", "menu", "menubar", "toolbar", "tooltip"}
)
_ROW_GROUPS = ("thead", "tbody", "tfoot")
#: Where elements lie deeper than this, no author has put them.
DEEPEST = 1000

_BREAK = "\0"  # a line break inside a paragraph; a NUL is in no text that was parsed
_BLANKS = re.compile(r"[ \t\n\r\f\xa0]+")
_AROUND_BREAK = re.compile(r" *\0 *")
_LANGUAGE = re.compile(r"(?:language-|lang-|highlight-source-|brush: ?)([\w+#.-]+)|(?:sourceCode|highlight) ([\w+#-]+)")


@dataclass(slots=True)
class Frame:
    """A block that is open: its finished blocks, the line it is at, and what a table or a list gathers."""

    tag: str
    blocks: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    language: str = ""
    number: int = 1


def to_markdown(root: Any, keep: frozenset[str] = frozenset()) -> str:
    """The Markdown of an lxml element; elements of `DROPPED` are left out but for those named by `keep`.

    Raises ValueError for a tree that is nested too deep.
    """
    frames = [Frame("root")]
    pre = 0
    code: list[int] = []
    for event, element in _walk(root, DROPPED - keep):
        frame = frames[-1]
        if event == "text":
            frame.line.append(element)
            continue
        tag = element.tag
        if event == "start":
            pre += tag == "pre"
            if tag == "br":
                frame.line.append("\n" if pre else _BREAK)
            elif tag == "code" and not pre:
                code.append(len(frame.line))
            elif tag in BLOCKS and not (pre and tag != "pre"):
                _flush(frame)
                frames.append(Frame(tag, number=_start(element)))
            if pre:
                frames[-1].language = frames[-1].language or _language(element)
        else:
            if tag in BLOCKS and not (pre and tag != "pre"):
                frames.pop()
                _close(element, frame, frames[-1])
            elif pre and tag in BLOCKS:
                frame.line.append("\n")  # a line of its own, as pages that number their lines have it
            elif tag == "code" and not pre and code:
                _quote(frame, code.pop())
            pre -= tag == "pre"
    _flush(frames[0])
    return "\n\n".join(frames[0].blocks)


def _walk(root: Any, dropped: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """("start", element), ("text", string) and ("end", element) in order, without what is dropped."""
    stack = [(root, iter(root))]
    yield "start", root
    if root.text:
        yield "text", root.text
    while stack:
        element, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield "end", element
            if stack and element.tail:
                yield "text", element.tail
        elif not isinstance(child.tag, str) or child.tag in dropped or _is_hidden(child):
            if child.tail:
                yield "text", child.tail
        elif len(stack) > DEEPEST:
            raise ValueError(f"its elements are nested deeper than {DEEPEST}")
        else:
            stack.append((child, iter(child)))
            yield "start", child
            if child.text:
                yield "text", child.text


def _is_hidden(element: Any) -> bool:
    attributes = element.attrib
    if not attributes:
        return False
    style = attributes.get("style", "").replace(" ", "").casefold()
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _ROLES
        or "display:none" in style
    )


def _flush(frame: Frame) -> None:
    if not frame.line:
        return
    text = _BLANKS.sub(" ", "".join(frame.line)).strip(" \0")
    frame.line.clear()
    if text:
        frame.blocks.append(_AROUND_BREAK.sub("\n", text) if "\0" in text else text)


def _close(element: Any, frame: Frame, above: Frame) -> None:
    """Put what a finished block holds into the one it stands in."""
    tag = frame.tag
    if tag == "pre":
        above.blocks += _fenced("".join(frame.line), frame.language)
        return
    _flush(frame)
    if tag in ("td", "th") and above.tag == "tr":
        above.cells.append(Cell(frame.blocks, _span(element, "colspan"), _span(element, "rowspan")))
    elif tag == "tr" and above.tag in ("table", *_ROW_GROUPS):
        above.rows.append(frame.cells)
        above.blocks += frame.blocks
    elif tag in _ROW_GROUPS and above.tag == "table":
        above.rows += frame.rows
        above.blocks += frame.blocks
    elif tag == "table":
        above.blocks += frame.blocks
        above.blocks += markdown_table(frame.rows) or plain_table(frame.rows)
    elif tag == "li":
        _close_item(frame, above)
    elif tag in ("ul", "ol", "menu"):
        above.blocks += frame.blocks
        if frame.items:
            above.blocks.append("\n".join(frame.items))
    elif tag == "dd":
        above.blocks += [_indented(": ", block) for block in frame.blocks]
    elif tag == "blockquote" and frame.blocks:
        above.blocks.append("\n".join(f"> {line}".rstrip() for line in "\n\n".join(frame.blocks).split("\n")))
    elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
        if heading := " ".join(frame.blocks).replace("\n", " "):
            above.blocks.append(f"{'#' * int(tag[1])} {heading}")
    else:
        above.blocks += frame.blocks + plain_table([*frame.rows, frame.cells])


def _close_item(frame: Frame, above: Frame) -> None:
    mark = "- "
    if above.tag == "ol":
        mark, above.number = f"{above.number}. ", above.number + 1
    if frame.blocks:
        # A list below a short item follows at once; paragraphs of one item stand apart.
        tight = len(frame.blocks) == 2 and frame.blocks[1].startswith(("- ", "1. "))
        into = above.items if above.tag in ("ul", "ol", "menu") else above.blocks
        into.append(_indented(mark, ("\n" if tight else "\n\n").join(frame.blocks)))


def _indented(mark: str, text: str) -> str:
    """The text after a mark, its further lines below the first."""
    return mark + "\n".join(" " * len(mark) + line if line else "" for line in text.split("\n"))[len(mark) :]


def _fenced(text: str, language: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\xa0", " ").strip("\n")
    if not text.strip():
        return []
    longest = max((len(found) for found in re.findall(r"^[ \t]*(`{3,})", text, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return [f"{fence}{language}\n{text}\n{fence}"]


def _quote(frame: Frame, start: int) -> None:
    """Put what was added to the line since `start` between backticks."""
    text = _BLANKS.sub(" ", "".join(frame.line[start:])).strip()
    if text:
        mark = "`" * (max((len(found) for found in re.findall(r"`+", text)), default=0) + 1)
        text = f"{mark} {text} {mark}" if "`" in text else f"{mark}{text}{mark}"
        frame.line[start:] = [text]


def _language(element: Any) -> str:
    found = _LANGUAGE.search(element.get("class") or "")
    return (found[1] or found[2]).lower() if found else ""


def _span(element: Any, name: str) -> int:
    value = element.get(name) or "1"
    return max(1, min(int(value), 100)) if value.isascii() and value.isdigit() and len(value) < 5 else 1


def _start(element: Any) -> int:
    value = (element.get("start") or "1") if element.tag == "ol" else "1"
    return int(value) if value.isascii() and value.isdigit() and len(value) < 8 else 1
