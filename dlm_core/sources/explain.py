"""Why a file is read or not: the rule that decided, for each source that reaches it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..api import Document
from ..plugins import Plugins
from .allowed import NOTHING, Allowed
from .decisions import Decision
from .gather import Gathering


@dataclass(frozen=True, slots=True)
class Why:
    """`source` is the path of the source as written; `decision` may be about a folder above the file."""

    source: str
    decision: Decision

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, **self.decision.to_json()}


def explain(doc: Document, plugins: Plugins, path: Path, allowed: Allowed = NOTHING) -> list[Why]:
    """What each source decides about a file or folder; nothing for a source that does not reach it.  Secret files that
    are `allowed` are let through.

    Raises UntrustedError as gathering does.
    """
    whole = path.absolute()
    wanted = os.path.normpath(Path(os.path.realpath(whole.parent)) / whole.name)
    found = []
    for source in Gathering(doc, plugins, allowed=allowed).find_sources():
        if wanted != source.root and not wanted.startswith(source.root.rstrip("/") + "/"):
            continue
        name = os.path.relpath(wanted, source.root)
        decided: list[Decision] = []
        # How many files came before is not known unless they are all looked at.
        only = () if source.most_files or source.is_file else tuple(name.split("/"))
        gathering = Gathering(doc, plugins, decided.append, only, allowed)
        for _ in gathering.read_source(source):
            pass
        about = [one for one in decided if source.is_file or _is_about(one, name)]
        found += [Why(source.text, one) for one in about[:1]]
    return found


def _is_about(decision: Decision, name: str) -> bool:
    return decision.name == name or (decision.is_folder and name.startswith(f"{decision.name}/"))
