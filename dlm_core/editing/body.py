"""Add, change and remove sections and their provenance markers, with the result read again before anybody gets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..api import Marker, Problem, UsageError
from ..document.fences import Piece, cut
from ..document.markers import KNOWN, take_markers
from ..document.scan import inner_lines
from .intact import EditError, parts_in
from .lines import Change, apply, lf, line_starts

NO_MARKERS: frozenset[str] = frozenset()


Says = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A section as it stands in the text.  `line` is that of its fence, or the first one of prose without a fence.

    Offsets: `start` of its first line, `opened` behind the fence, `body` behind the markers, `first`..`last` of its
    content, `end` of the next section.
    """

    type: str
    adapter: str | None
    attrs: tuple[tuple[str, str], ...]
    markers: tuple[Marker, ...]
    content: str
    line: int
    start: int
    opened: int
    body: int
    first: int
    last: int
    end: int

    @property
    def has_fence(self) -> bool:
        return self.opened > self.start

    @property
    def says(self) -> Says:
        """All of it that does not depend on its place in the file."""
        markers = tuple((marker.name, tuple(marker.values.items())) for marker in self.markers)
        return self.type, self.adapter, self.attrs, markers, self.content


@dataclass(frozen=True, slots=True)
class NewSection:
    """A section to be written.  `markers` maps a provenance marker's name to its keys and values."""

    type: str
    content: str
    adapter: str | None = None
    attrs: Mapping[str, str] = field(default_factory=dict)
    markers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def says(self) -> Says:
        markers = tuple((name, tuple(values.items())) for name, values in self.markers.items())
        return self.type, self.adapter, tuple(self.attrs.items()), markers, _inner(self.content)

    @property
    def text(self) -> str:
        """Its lines, the fence first."""
        markers = "".join(marker_line(name, values) for name, values in self.markers.items())
        content = _inner(self.content)
        return f"{fence(self.type, self.adapter, tuple(self.attrs.items()))}\n{markers}{content}{content and chr(10)}"


def parts_of(data: bytes, markers: frozenset[str] = NO_MARKERS) -> tuple[Part, ...]:
    """The sections of a document, empty prose included; `markers` names those of plugins.

    Raises DocumentError when the file is no document, EditError when a code block is never closed.
    """
    text, where = parts_in(data)
    found: list[Part] = []
    for piece in cut(text, where.body, where.body_line):
        if isinstance(piece, Piece):
            found.append(_part(text, piece, markers))
        elif isinstance(piece, Problem) and piece.severity == "error":
            raise EditError(f"line {piece.span.line}: {piece.message}", piece.hint)
    return tuple(part for part in found if part.has_fence or part.markers or part.content.strip())


def section_at(parts: tuple[Part, ...], line: int) -> Part:
    """The section that has a line of the file in it.  Raises UsageError when there is none."""
    above = [part for part in parts if part.line <= line]
    if not above:
        raise UsageError(f"no section has line {line} in it", "`dlm show` lists the sections with their lines")
    return above[-1]


def append_section(data: bytes, new: NewSection) -> bytes:
    """The document with a new section at its end, a blank line before it.

    Raises EditError when the section would not be read back as it is meant.
    """
    text, _ = parts_in(data)
    allowed = frozenset(new.markers)
    says = [*(part.says for part in parts_of(data, allowed)), new.says]
    gap = "" if text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    written = gap + (new.text if text.endswith("\n") else new.text.removesuffix("\n"))
    return _checked(data, [Change(len(text), len(text), written)], says, allowed)


def insert_section_after(data: bytes, line: int, new: NewSection) -> bytes:
    """The document with a new section behind the one that has `line`, a line of the file, in it.

    Raises UsageError when no section is there, EditError as `append_section` does.
    """
    allowed = frozenset(new.markers)
    parts = parts_of(data, allowed)
    index = parts.index(section_at(parts, line))
    if index == len(parts) - 1:
        return append_section(data, new)
    text, _ = parts_in(data)
    at = parts[index].end
    says = [part.says for part in parts]
    says.insert(index + 1, new.says)
    gap = "" if text.endswith("\n\n", 0, at) else "\n"
    return _checked(data, [Change(at, at, f"{gap}{new.text}\n")], says, allowed)


def replace_section_content(data: bytes, line: int, content: str, markers: frozenset[str] = NO_MARKERS) -> bytes:
    """The document with other content in the section at `line`; fence, markers and blank lines around it stay.

    `markers` names those of plugins.  Raises UsageError when no section is there, EditError when the content would not
    be read back as it is meant.
    """
    text, _ = parts_in(data)
    part = section_at(parts_of(data, markers), line)
    written = _inner(content)
    change = Change(part.first, part.last, written)
    if part.first == part.last:
        change = _line_at(text, part.body, written)
    return _checked(data, [change], _with(data, part, replace(part, content=written), markers), markers)


def remove_section(data: bytes, line: int, markers: frozenset[str] = NO_MARKERS) -> bytes:
    """The document without the section at `line`, from its fence up to the next one.

    Raises UsageError when no section is there.
    """
    part = section_at(parts_of(data, markers), line)
    return _checked(data, [Change(part.start, part.end, "")], _with(data, part, None, markers), markers)


def add_marker(data: bytes, line: int, name: str, values: Mapping[str, str]) -> bytes:
    """The document with one more provenance marker above the content of the section at `line`.

    Raises UsageError for values that a marker cannot hold, or when no section is there.
    """
    written, allowed = marker_line(name, values), frozenset({name})
    made, problems, end = take_markers(written, 0, len(written), 1, allowed)
    if problems or end < len(written) or not made:
        raise UsageError(problems[0].message if problems else f"a marker cannot be `{written.strip()}`")
    text, _ = parts_in(data)
    part = section_at(parts_of(data, allowed), line)
    change = _line_at(text, part.body if part.has_fence or part.markers else part.first, written.removesuffix("\n"))
    says = _with(data, part, replace(part, markers=(*part.markers, *made)), allowed)
    return _checked(data, [change], says, allowed)


def strip_markers(
    data: bytes, line: int | None = None, names: frozenset[str] | None = None, markers: frozenset[str] = NO_MARKERS
) -> bytes:
    """The document without provenance markers: of the section at `line` or of all, those in `names` or all.

    `markers` names those of plugins.  No section id changes, since markers are no part of one.
    """
    text, _ = parts_in(data)
    parts = parts_of(data, markers)
    only = None if line is None else section_at(parts, line)
    starts = line_starts(text)
    changes: list[Change] = []
    says: list[Says] = []
    for part in parts:
        gone = [m for m in part.markers if only in (None, part) and (names is None or m.name in names)]
        changes += [Change(starts[marker.span.line - 1], starts[marker.span.line], "") for marker in gone]
        says.append(replace(part, markers=tuple(m for m in part.markers if m not in gone)).says)
    return _checked(data, changes, says, markers)


def marker_line(name: str, values: Mapping[str, str]) -> str:
    """A provenance marker as the line it is written on."""
    return f"<!-- {name}:{''.join(f' {key}={chr(34)}{value}{chr(34)}' for key, value in values.items())} -->\n"


def fence(kind: str, adapter: str | None, attrs: tuple[tuple[str, str], ...]) -> str:
    """A section's first line."""
    pairs = "".join(f' {name}="{value}"' for name, value in attrs)
    return f"::{kind}{f'#{adapter}' if adapter else ''}{pairs}::"


def _part(text: str, piece: Piece, allowed: frozenset[str]) -> Part:
    markers, _, body = take_markers(text, piece.start, piece.end, piece.first_line, frozenset(KNOWN) | allowed)
    first, last = inner_lines(text, body, piece.end)
    start = piece.start if piece.implicit else text.rfind("\n", 0, max(piece.start - 1, 0)) + 1
    content = text[first:last]
    line = piece.span.line
    return Part(
        piece.type, piece.adapter, piece.attrs, tuple(markers), content, line,
        start, piece.start, body, first, last, piece.end,
    )  # fmt: skip


def _inner(content: str) -> str:
    """Content as it is read back: LF line ends, no outer blank lines."""
    content = lf(content)
    first, last = inner_lines(content, 0, len(content))
    return content[first:last]


def _line_at(text: str, at: int, line: str) -> Change:
    """A line of its own at an offset that begins a line, or at the end of a file without a last line end."""
    if at and text[at - 1] != "\n":
        return Change(at, at, f"\n{line}")
    return Change(at, at, f"{line}\n")


def _with(data: bytes, old: Part, new: Part | None, markers: frozenset[str]) -> list[Says]:
    """What every section says when `new` has come in the place of `old`."""
    parts = [new if part == old else part for part in parts_of(data, markers)]
    return [part.says for part in parts if part is not None]


def _checked(data: bytes, changes: Iterable[Change], says: list[Says], markers: frozenset[str]) -> bytes:
    """The result of the changes, if its sections say just that and its frontmatter is what it was."""
    done = apply(data, changes)
    (old_text, old), (new_text, new) = parts_in(data), parts_in(done)
    if old_text[: old.body].rstrip("\n") == new_text[: new.body].rstrip("\n"):
        found = [part.says for part in parts_of(done, markers)]
        if found == says:
            return done
    raise EditError(
        "the text would not be read back as the section it is meant to be",
        "a line like `::type::` outside a code block starts a section, and a code block must be closed",
    )
