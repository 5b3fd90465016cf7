"""Mined pairs into a document as sections with their provenance, and out again: bytes to bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlm_core.api import Problem, Section, Span
from dlm_core.editing import EditError, NewSection, append_section, parts_of, remove_section
from dlm_core.headers import split_groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlm_core.editing import Part

    from .mined import MinedPair, MinedRun

MARKER = "dlm-auto-mined"
HEADERS = ("Prompt", "Chosen", "Rejected")


@dataclass(frozen=True, slots=True)
class Applied:
    """A document with what could be put into it, and why each other pair was left out."""

    data: bytes
    added: tuple[MinedPair, ...]
    left_out: tuple[tuple[MinedPair, str], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A mined section as it stands in a document: its line, its run, its marker's values, its texts where they are
    whole."""

    line: int
    run: int
    values: Mapping[str, str]
    adapter: str | None
    content: str


def apply_run(data: bytes, run: MinedRun, adapters: Sequence[str]) -> Applied:
    """The document with a section for each pair of the run behind its last section, in the order of their questions.

    A pair that stands in it already, in a section of any origin, is not put there twice.  `adapters` are those that
    the document declares.
    """
    there = {part.content for part in parts_of(data) if part.type == "preference"}
    added, left_out = [], []
    for pair in run.pairs:
        content = section_text(pair)
        if content in there:
            left_out.append((pair, "it is in the document already"))
            continue
        if not _reads_back(content, pair):
            left_out.append((pair, "an answer has a line that would be read as a header or as a fence"))
            continue
        adapter = pair.adapter if pair.adapter in adapters[1:] else None
        section = NewSection("preference", content, adapter, markers={MARKER: marker_values(run, pair)})
        try:
            data = append_section(_with_gap(data), section)
        except EditError as error:
            left_out.append((pair, error.message))
            continue
        there.add(content)
        added.append(pair)
    return Applied(data, tuple(added), tuple(left_out))


def revert_run(
    data: bytes, number: int, known: MinedRun | None, *, edited_too: bool = False
) -> tuple[bytes, int, list[int]]:
    """The document without the sections that mining run `number` wrote: the bytes, how many went, the lines that stay.

    A section whose texts are not those of the run any more is the author's and stays, unless `edited_too`; without
    the run's file (`known`) that cannot be told, and every section with its number goes.
    """
    texts = {section_text(pair) for pair in known.pairs} if known else None
    gone, kept = 0, []
    own = [one for one in standing(data) if one.run == number]
    for one in reversed(own):
        if texts is not None and one.content not in texts and not edited_too:
            kept.append(one.line)
            continue
        data = _without(data, one.line)
        gone += 1
    return data, gone, sorted(kept)


def standing(data: bytes) -> list[Standing]:
    """The mined sections of a document in order."""
    return [_standing(part) for part in parts_of(data) if _marker(part) is not None]


def section_text(pair: MinedPair) -> str:
    """The content of a pair's section."""
    texts = (pair.prompt, pair.chosen, pair.rejected)
    return "\n\n".join(f"### {name}\n{text.strip()}" for name, text in zip(HEADERS, texts, strict=True))


def marker_values(run: MinedRun, pair: MinedPair) -> dict[str, str]:
    """What the provenance comment says, its values in a form that a comment can hold."""
    return {
        "judge_name": " ".join(run.judge.replace('"', "'").replace("-->", "- ->").split()),
        "judge_score_chosen": f"{pair.score_chosen:.6g}",
        "judge_score_rejected": f"{pair.score_rejected:.6g}",
        "mined_at": run.at,
        "mined_run_id": str(run.id),
    }


def _with_gap(data: bytes) -> bytes:
    """The document with one more line end where it ends in a blank line, so that `_without` always has one to take."""
    end = _line_end(data)
    return data + end if data.endswith(end + end) else data


def _line_end(data: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in data else b"\n"


def _without(data: bytes, line: int) -> bytes:
    """The document without a section; with the last one goes the blank line that set it apart."""
    is_last = parts_of(data)[-1].line == line
    end = _line_end(data)
    had_end = data.endswith(end)
    data = remove_section(data, line)
    if is_last and data.endswith(end + end):
        data = data[: -len(end)] if had_end else data.removesuffix(end).removesuffix(end)
    return data


def _reads_back(content: str, pair: MinedPair) -> bool:
    """Whether the section's text gives exactly the pair's texts."""
    section = Section("preference", content, Span(1), "", content_line=2)
    found = list(split_groups(section, HEADERS))
    wanted = tuple(text.strip() for text in (pair.prompt, pair.chosen, pair.rejected))
    return len(found) == 1 and not isinstance(found[0], Problem) and found[0].parts == wanted


def _marker(part: Part) -> Mapping[str, str] | None:
    return next((marker.values for marker in part.markers if marker.name == MARKER), None)


def _standing(part: Part) -> Standing:
    values = _marker(part) or {}
    run = values.get("mined_run_id", "")
    return Standing(part.line, int(run) if run.isdecimal() else 0, values, part.adapter, part.content)
