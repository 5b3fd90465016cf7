"""What was taken from sources and what was not: for `dlm check`, and for `dlm show --why PATH`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..api import Problem, UsageError
from ..plugins import Plugins
from ..sources.decisions import Decision, Tally
from .terminal import print_json

#: Kinds of rules in the order in which they decide, with a title.
TITLES = {
    "exclude": "excluded by the document",
    "built-in": "left out unless asked for",
    "secret": "secret",
    "training.yaml": "excluded by .dlm/training.yaml",
    "ignore": "ignored",
    "include": "not included",
    "weight": "of weight 0",
    "limit": "over max_files",
    "file": "not readable as text",
    "document": "the document itself",
}


def show_why(plugins: Plugins, document: Path, path: Path, allow_secret: Sequence[Path], as_json: bool) -> None:
    """Print the rule that decided about a file.  Raises UsageError for one that no source reaches."""
    from ..document import read_document
    from ..sources.allowed import allow
    from ..sources.explain import explain

    doc = read_document(document, plugins)
    found = explain(doc, plugins, path, allow(allow_secret))
    if not found:
        gone = "it is not there" if not path.exists() and not path.is_symlink() else "no source reaches it"
        name = shlex.quote(str(document))
        raise UsageError(f"{path} is not read: {gone}", f"`dlm check {name} --sources` lists what is")
    if as_json:
        return print_json(
            "why", {"document": str(document), "path": str(path), "decisions": [w.to_json() for w in found]}
        )
    for why in found:
        print(f"source {why.source}: {line(why.decision)}")
    return None


#: Warnings about files that `dlm check` prints before it only counts them.
MOST_WARNINGS = 10


def shortened(problems: Sequence[Problem]) -> list[Problem]:
    """The problems with no more than a few warnings about files that were skipped, and how many there are more."""
    kept, skipped = [], 0
    for problem in problems:
        skipped += problem.code == "DLM0504"
        if problem.code != "DLM0504" or skipped <= MOST_WARNINGS:
            kept.append(problem)
    if skipped > MOST_WARNINGS:
        last = max(at for at, problem in enumerate(kept) if problem.code == "DLM0504")
        more = f"{skipped - MOST_WARNINGS:,} more files were skipped"
        kept.insert(last + 1, replace(kept[last], message=more, hint="`dlm check DOCUMENT --sources` lists them"))
    return kept


def line(decision: Decision) -> str:
    """One decision in a line."""
    name = f"{decision.name}/" if decision.is_folder else decision.name
    tags = ", ".join(f"{tag}: {value}" for tag, value in decision.tags.items())
    weight = f", weight {decision.weight:g}" if decision.weight != 1 else ""
    if decision.taken:
        about = f" ({decision.rule.text})" if decision.rule.text else ""
        return f"taken    {name}{f'  ({tags}{weight})' if tags else ''}{about}"
    return f"skipped  {name}: {decision.rule}"


def summary(tally: Tally, document: Path) -> Iterator[str]:
    """The lines of `dlm check` about sources: counts for each kind of rule, and the first few names."""
    if not (tally.counts or tally.folders):
        return
    yield f"sources: {_count(tally.counts['taken'], 'file')} taken, {tally.bytes:,} bytes"
    if tally.let_through:
        yield f"  secret, let through by --allow-secret: {', '.join(tally.let_through)}"
    for kind, title in TITLES.items():
        files, folders = tally.counts[kind], tally.folders[kind]
        if not files + folders:
            continue
        counted = " and ".join(filter(None, [_count(folders, "folder", ""), _count(files, "file", "")]))
        names = [f"{one.name}/" if one.is_folder else one.name for one in tally.first[kind]]
        more = ", …" if files + folders > len(names) else ""
        yield f"  {title}: {counted}: {', '.join(names)}{more}"
    if any(tally.counts[kind] + tally.folders[kind] for kind in TITLES):
        name = shlex.quote(str(document))
        yield f"  all of them: dlm check {name} --sources; one: dlm show {name} --why PATH"


def _count(number: int, what: str, nothing: str | None = None) -> str:
    if not number and nothing is not None:
        return nothing
    return f"{number:,} {what}{'' if number == 1 else 's'}"
