"""Turn the pieces of a body into sections: each held against its type, with its markers and its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..api import Fix, Marker, Problem, Section, SectionType, Span
from ..spelling import certain, closest
from . import collector
from .fences import Piece, cut, fence_type
from .make import section_id
from .markers import take_markers
from .scan import inner_lines

if TYPE_CHECKING:
    from ..plugins import Plugins


def media_id(kind: str, path: str, sha256: str) -> str:
    """The id of a section that is about a file: over type, LF, path, LF, the file's SHA-256."""
    return section_id(kind, f"{path}\n{sha256}")


def has_media(name: str, plugins: Plugins) -> bool:
    """Whether sections of this type refer to files."""
    kind = plugins.section_types.get(name)
    return kind is not None and _names_media(kind)


def _names_media(kind: SectionType) -> bool:
    return type(kind).media is not SectionType.media


def read_sections(
    text: str, start: int, line: int, path: Path, plugins: Plugins
) -> tuple[list[Section], list[Problem]]:
    """The sections of the body that begins at offset `start` on line `line`, and everything wrong with them."""
    sections: list[Section] = []
    problems = list(_nul_problems(text, start, line))
    kinds = dict(plugins.section_types)
    plain = {name for name, kind in kinds.items() if not kind.attrs and kind.body == "required"}
    with collector.paused():
        for piece in cut(text, start, line, plain):
            if isinstance(piece, Section):
                sections.append(piece)
            elif isinstance(piece, Problem):
                problems.append(_without_doubt(piece, kinds))
            elif not piece.implicit or text[piece.start : piece.end].strip():
                kind = kinds.get(piece.type)
                section, found = _section(text, piece, kind, path) if kind else (None, [_unknown_type(piece, plugins)])
                problems += found
                if section is not None:
                    sections.append(section)
    return sections, problems


def _nul_problems(text: str, start: int, line: int) -> Iterator[Problem]:
    at = text.find("\0", start)
    if at >= 0:
        begin = text.rfind("\n", 0, at) + 1
        span = Span(line + text.count("\n", start, at), at - begin + 1)
        more = text.count("\0", start) - 1
        message = "NUL byte in the body" + (f", and {more} more further down" if more else "")
        yield Problem(span, message, "a document is text; remove the byte", code="DLM0212")


def _without_doubt(problem: Problem, kinds: Mapping[str, SectionType]) -> Problem:
    """The problem without its fix when that would make a section of a type that is unknown here."""
    if problem.fix is None or fence_type(problem.fix.text) in kinds:
        return problem
    return replace(problem, fix=None)


def _unknown_type(piece: Piece, plugins: Plugins) -> Problem:
    if hint := plugins.hint("section type", piece.type):
        message = f"section type `{piece.type}` needs a plugin that is not at work here"
        return Problem(piece.span, message, hint.text, code=hint.code)
    close = closest(piece.type, plugins.section_types)
    advice = f"did you mean `::{close}::`?" if close else f"known types: {', '.join(plugins.section_types)}"
    name = Span(piece.span.line, 3, len(piece.type))
    meant = certain(piece.type, plugins.section_types)
    fix = Fix(name, meant) if meant else None
    return Problem(name, f"unknown section type `{piece.type}`", advice, code="DLM0201", fix=fix)


def _section(text: str, piece: Piece, kind: SectionType, path: Path) -> tuple[Section | None, list[Problem]]:
    markers: list[Marker] = []
    problems: list[Problem] = []
    first, last = inner_lines(text, piece.start, piece.end)
    if text.startswith("<!--", first):
        markers, problems, start = take_markers(text, piece.start, piece.end, piece.first_line, kind.markers)
        first, last = inner_lines(text, start, piece.end)
    content = text[first:last]
    line = piece.first_line if first == piece.start else piece.first_line + text.count("\n", piece.start, first)
    empty = not content or content.isspace()
    attrs = dict(piece.attrs) if piece.attrs else {}
    if attrs or kind.attrs:
        problems += _attr_problems(piece, kind, text)
    if empty and piece.type == "prose" and not markers:
        return None, problems
    if empty or kind.body == "forbidden":
        problems += _body_problems(piece, kind, empty, line)
    if attrs.get("path", "").strip() and _names_media(kind):
        ident, found = _media_section_id(piece, attrs["path"], path)
        problems += found
    else:
        ident = section_id(piece.type, content)
    span = Span(line, 1, len(content.partition("\n")[0])) if piece.implicit else piece.span
    return Section(piece.type, content, span, ident, piece.adapter, attrs, line, tuple(markers)), problems


def _attr_problems(piece: Piece, kind: SectionType, text: str) -> Iterator[Problem]:
    places = _attr_places(piece, text)
    free = [name for name in kind.attrs if name not in places]
    meant: set[str] = set()
    for name, spans in places.items():
        if name not in kind.attrs:
            close = closest(name, free) or closest(name, kind.attrs)
            known = f"known: {', '.join(kind.attrs)}" if kind.attrs else f"write `::{piece.type}::`"
            hint = f"did you mean `{close}`?" if close else known
            sure = certain(name, kind.attrs) if close in free else None
            fix = Fix(spans[0], sure) if sure and sure not in meant else None
            meant.add(close or "")
            yield Problem(spans[0], f"`::{piece.type}::` has no attribute `{name}`", hint, code="DLM0205", fix=fix)
        if len(spans) > 1:
            yield Problem(spans[1], f"attribute `{name}` is repeated", "keep one of them", code="DLM0207")
    for name, attr in kind.attrs.items():
        value = dict(piece.attrs).get(name)
        if name in meant:
            continue  # told already: it is there, misspelt
        if attr.required and not (value and value.strip()):
            what = "is missing its attribute" if value is None else "has an empty attribute"
            yield Problem(
                piece.span, f"`::{piece.type}::` {what} `{name}`", f'add `{name}="…"` to the fence', code="DLM0206"
            )


def _attr_places(piece: Piece, text: str) -> dict[str, list[Span]]:
    """Where the fence above a piece writes each of its attributes' names."""
    stop = piece.start - 1 if text[piece.start - 1] == "\n" else piece.start
    begin = text.rfind("\n", 0, stop) + 1
    places: dict[str, list[Span]] = {}
    at = begin
    for name, value in piece.attrs:
        pair = f'{name}="{value}"'
        at = text.index(pair, at)
        places.setdefault(name, []).append(Span(piece.span.line, at - begin + 1, len(name)))
        at += len(pair)
    return places


def _body_problems(piece: Piece, kind: SectionType, empty: bool, line: int) -> Iterator[Problem]:
    if empty and kind.body == "required":
        message = f"`::{piece.type}::` has nothing under it"
        yield Problem(piece.span, message, "write its text on the lines below, or remove the fence", code="DLM0202")
    if not empty and kind.body == "forbidden":
        message = f"`::{piece.type}::` takes no text under it"
        yield Problem(Span(line), message, "put a fence such as `::prose::` before this text", code="DLM0209")


def _media_section_id(piece: Piece, name: str, path: Path) -> tuple[str, list[Problem]]:
    from ..media.paths import file_sha256, media_file

    try:
        return media_id(piece.type, name, file_sha256(media_file(path.parent, name))), []
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if missing else getattr(error, "strerror", None) or str(error)
        hint = "a relative path starts at the document's folder"
        return section_id(piece.type, name), [
            Problem(piece.span, f"cannot read `{name}`: {reason}", hint, code="DLM0215")
        ]


def routing_problems(sections: list[Section], adapters: tuple[str, ...]) -> Iterator[Problem]:
    """Sections sent to an adapter that is not among those the document declares."""
    for section in sections:
        if section.adapter is None or (section.adapter in adapters):
            continue
        message = f"adapter `{section.adapter}` is not declared"
        if not adapters:
            hint = "declare it under `training.adapters`, or remove `#…`: this document has one adapter"
        else:
            close = closest(section.adapter, adapters)
            hint = f"did you mean `#{close}`?" if close else f"declared: {', '.join(adapters)}"
        start = section.span.col + 2 + len(section.type) + 1
        span = Span(section.span.line, start, len(section.adapter))
        meant = certain(section.adapter, adapters)
        fix = Fix(span, meant) if meant else None
        yield Problem(span, message, hint, code="DLM0208", fix=fix)
