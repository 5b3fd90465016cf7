"""What was mined for a document and what of it stands there, for `dlm preference list`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlm_core.commands import about

from .applying import Standing, section_text, standing
from .mined import MinedRun, runs


def listed(data: bytes, root: Path, path: Path) -> list[dict[str, Any]]:
    """Every mining run, oldest first, with its pairs as JSON values.

    A pair's `state` is `waiting` (not in the document), `applied`, `edited` (a section of the run with other texts)
    or `alone` (a section whose run is not in the store); `line` is that of its section, or null.
    """
    with about(path):
        sections = standing(data)
    known = {run.id: run for run in runs(root)}
    numbers = sorted(known.keys() | {one.run for one in sections})
    return [_run(known.get(number), [one for one in sections if one.run == number], number) for number in numbers]


def _run(run: MinedRun | None, sections: list[Standing], number: int) -> dict[str, Any]:
    lines: Mapping[str, int] = {one.content: one.line for one in sections}
    found, texts = [], set()
    for pair in run.pairs if run else ():
        text = section_text(pair)
        texts.add(text)
        line = lines.get(text)
        about_it = {name: value for name, value in asdict(pair).items() if name not in ("section_id", "line")}
        found.append({"state": "applied" if line else "waiting", "line": line, **about_it})
    found += [_alone(one, "edited" if run else "alone") for one in sections if one.content not in texts]
    first = sections[0].values if sections else {}
    return {
        "id": number,
        "at": run.at if run else first.get("mined_at", ""),
        "judge": run.judge if run else first.get("judge_name", ""),
        "version": run.version if run else None,
        "pairs": found,
    }


def _alone(one: Standing, state: str) -> dict[str, Any]:
    """A section as a pair, its texts as far as they can be told."""
    from dlm_core.api import Problem, Section, Span
    from dlm_core.headers import split_groups

    from .applying import HEADERS

    groups = split_groups(Section("preference", one.content, Span(1), ""), HEADERS)
    parts = next((group.parts for group in groups if not isinstance(group, Problem)), (one.content, "", ""))
    return {
        "state": state,
        "line": one.line,
        "adapter": one.adapter or "default",
        **dict(zip(("prompt", "chosen", "rejected"), parts, strict=True)),
        "score_chosen": float(one.values["judge_score_chosen"]),
        "score_rejected": float(one.values["judge_score_rejected"]),
    }
