"""Set, remove and rename keys of a YAML frontmatter by changing the lines they are on, and no others.

The functions propose changes, the best first; whoever calls them takes the first whose result reads as was meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..api import UsageError
from ..document.tree import Loc, dotted
from .lines import Change
from .yaml_nodes import Entry, Node, column, descend, header_end, line_end, line_start, literal_column, read_nodes
from .yaml_values import Value, block_lines, inline_spellings, key_lines

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


def set_changes(text: str, loc: Loc, value: Value, after: str | None = None) -> Iterator[tuple[Change, ...]]:
    """Ways to give the key at `loc` a value; a key that is new at the top comes behind the key `after`.

    Raises UsageError when something that is no block stands in the way.
    """
    root = read_nodes(text)
    if root is None:
        yield from ((Change(0, 0, "\n".join(lines) + "\n"),) for lines in key_lines(loc, value, "", 2))
        return
    way = descend(root, loc)
    if len(way) == len(loc):
        in_flow = "flow" in (root.style, *(entry.node.style for entry in way[:-1]))
        yield from _replaced(text, way[-1], value, _step(text, root), in_flow)
        return
    rest = loc[len(way) :]
    parent = way[-1].node if way else root
    what = dotted(loc[: len(way)])
    null = parent.kind == "scalar" and text[parent.start : parent.end] in _NOTHING
    if parent.kind == "scalar" and not null:
        raise UsageError(f"`{what}` is a value, so `{dotted(loc)}` cannot be set", f"unset `{what}` first")
    if any(isinstance(name, int) for name in rest) or parent.kind == "list":
        raise UsageError(f"`{what}` has no item `{rest[0]}`", "set the whole list: `[one, two]`")
    if null:
        yield from _filled(text, way[-1], rest, value, _step(text, root))
    elif parent.style == "flow":
        yield (_added_inline(parent, _nested(rest, value)),)
    else:
        yield from _added_lines(text, parent, rest, value, _step(text, root), None if way else after)


def remove_changes(text: str, loc: Loc) -> Iterator[tuple[Change, ...]]:
    """Ways to remove the key at `loc`, which is there and is not the only one of its block."""
    root = read_nodes(text)
    assert root is not None
    way = descend(root, loc)
    parent = way[-2].node if len(way) > 1 else root
    index = next(i for i, entry in enumerate(parent.entries) if entry.name == way[-1].name)
    entry = parent.entries[index]
    following = parent.entries[index + 1 :]
    upto_next = Change(entry.start, following[0].start if following else entry.end, "")
    if parent.style == "flow":
        yield (Change(parent.entries[index - 1].end, entry.end, "") if index else upto_next,)
        return
    begin, end = line_start(text, entry.start), line_end(text, entry.end)
    if text[begin : entry.start].strip(" "):  # behind the dash of a list's item
        yield (upto_next,)
    yield (Change(begin, min(end + 1, len(text)), ""),)


def rename_changes(text: str, loc: Loc, name: str) -> Iterator[tuple[Change, ...]]:
    """Give the key at `loc` another name."""
    root = read_nodes(text)
    assert root is not None
    entry = descend(root, loc)[-1]
    at = text.find(str(entry.name), entry.start, entry.colon)
    yield (Change(at, at + len(str(entry.name)), name),)


def source_of(text: str, loc: Loc) -> str:
    """How the value at `loc` is written."""
    root = read_nodes(text)
    assert root is not None
    node = descend(root, loc)[-1].node
    return text[node.start : node.end]


def _step(text: str, root: Node) -> int:
    """How much deeper a block's keys stand than the key above them."""
    for entry in root.entries:
        if entry.node.kind == "map" and entry.node.in_lines:
            return max(1, column(text, entry.node.start) - column(text, entry.start))
    return 2


def _replaced(text: str, entry: Entry, value: Value, step: int, in_flow: bool) -> Iterator[tuple[Change, ...]]:
    old = entry.node
    if old.kind == "list" and old.in_lines and isinstance(value.data, list) and value.data:
        yield (_other_items(text, old, value),)
    if not in_flow:
        yield from _replaced_by_lines(text, entry, value, step)
    for spelled in inline_spellings(value, old.style):
        start, tail, end = _around(text, entry)
        if old.is_empty or old.in_lines:
            colon = "" if text[entry.colon - 1] in ":-" else ":"
            yield (Change(start, end, f"{colon} {spelled}{tail}"),)
        else:
            yield (Change(start, end, f"{spelled}{tail}"),)


def _around(text: str, entry: Entry) -> tuple[int, str, int]:
    """Where a value's own text starts and ends, and what between its start and the end of its line is not of it."""
    old = entry.node
    if old.style in ("|", ">"):
        head = header_end(text, old)
        return old.start, text[head : line_end(text, head)].rstrip(), old.end
    if old.in_lines and old.start > line_end(text, entry.colon):
        return entry.colon, text[entry.colon : line_end(text, entry.colon)].rstrip(), old.end
    return (entry.colon if old.is_empty else old.start), "", old.end


def _replaced_by_lines(text: str, entry: Entry, value: Value, step: int) -> Iterator[tuple[Change, ...]]:
    """A text of several lines, or a block, in the lines under the key."""
    old = entry.node
    indent = " " * (literal_column(text, old) or column(text, entry.start) + step)
    lines = block_lines(value, indent, step)
    if lines is None:
        return
    if isinstance(value.data, dict) and old.in_lines and old.kind == "map":
        indent = " " * column(text, old.start)
        again = block_lines(value, indent, step) or []
        yield (Change(old.start, old.end, "\n".join(again[1:]).lstrip(" ")),)
        return
    _, tail, end = _around(text, entry)
    if not tail and not old.in_lines and old.style not in ("|", ">"):
        tail, end = text[old.end : line_end(text, old.end)].rstrip(), line_end(text, old.end)
    head = f" {lines[0]}" if lines[0] else ""
    yield (Change(entry.colon, end, "\n".join([f"{head}{tail}", *lines[1:]])),)


def _other_items(text: str, old: Node, value: Value) -> Change:
    """The items of a list in lines that are new or changed; those at both ends that stay keep their lines."""
    before, items = value.before if isinstance(value.before, list) else [], value.data
    most = min(len(before), len(items))
    first = next((i for i in range(most) if repr(before[i]) != repr(items[i])), most)
    last = next((i for i in range(most - first) if repr(before[-1 - i]) != repr(items[-1 - i])), most - first)
    gone = old.entries[first : len(before) - last]
    indent = " " * column(text, old.start)
    lines = "".join(f"{indent}- {inline_spellings(Value(item))[0]}\n" for item in items[first : len(items) - last])
    if gone:
        return Change(line_start(text, gone[0].start), line_end(text, gone[-1].end) + 1, lines)
    at = line_start(text, old.entries[first].start) if first < len(before) else line_end(text, old.end) + 1
    return Change(at, at, lines)


def _nested(rest: Loc, value: Value) -> str:
    """The value in flow style, with its key and the blocks around it that do not exist yet."""
    spelled = inline_spellings(value)[0]
    for depth, name in enumerate(reversed(rest)):
        spelled = f"{inline_spellings(Value(name))[0]}: {'{' + spelled + '}' if depth else spelled}"
    return spelled


def _filled(text: str, entry: Entry, rest: Loc, value: Value, step: int) -> Iterator[tuple[Change, ...]]:
    """The first key of a block that is written but empty."""
    end = line_end(text, entry.node.end)
    tail = text[entry.node.end : end].rstrip()
    indent = " " * (column(text, entry.start) + step)
    for lines in key_lines(rest, value, indent, step):
        yield (Change(entry.colon, end, "\n".join([tail, *lines])),)
    colon = "" if text[entry.colon - 1] in ":-" else ":"
    yield (Change(entry.colon, entry.node.end, f"{colon} {{{_nested(rest, value)}}}"),)


def _added_inline(parent: Node, spelled: str) -> Change:
    if not parent.entries:
        return Change(parent.start + 1, parent.start + 1, spelled)
    at = parent.entries[-1].end
    return Change(at, at, f", {spelled}")


def _added_lines(
    text: str, parent: Node, rest: Loc, value: Value, step: int, after: str | None
) -> Iterator[tuple[Change, ...]]:
    behind = next((entry for entry in parent.entries if entry.name == after), parent.entries[-1])
    at = min(line_end(text, behind.end) + 1, len(text))
    for lines in key_lines(rest, value, " " * column(text, parent.start), step):
        yield (Change(at, at, "".join(f"{line}\n" for line in lines)),)


def move_changes(text: str, old: Loc, new: Loc) -> Iterator[tuple[Change, ...]]:
    """Move a key on lines of its own, with the comments on and above them, to the end of a block beside or below it.

    The block is made where it is missing.  Nothing is proposed for what is not written in lines.
    """
    root = read_nodes(text)
    assert root is not None
    way, block = descend(root, old), descend(root, new[:-1])
    parent, entry = way[-2].node, way[-1]
    begin, end = line_start(text, entry.start), line_end(text, entry.end) + 1
    if not parent.in_lines or text[begin : entry.start].strip(" "):
        return
    while (above := line_start(text, begin - 1)) < begin and text[above:begin].lstrip(" ").startswith("#"):
        begin = above
    here, step = column(text, entry.start), _step(text, root)
    inside = block[-1].node if len(block) == len(new) - 1 else None
    if inside is not None and not inside.in_lines:
        return
    deep = column(text, inside.start) if inside else here + step
    head = "" if inside else f"{' ' * here}{new[-2]}:\n"
    at = line_end(text, inside.end if inside else parent.end) + 1
    lines = "".join(f"{' ' * (deep - here)}{line}\n" for line in text[begin:end].removesuffix("\n").split("\n"))
    yield Change(begin, end, ""), Change(at, at, head + lines)
