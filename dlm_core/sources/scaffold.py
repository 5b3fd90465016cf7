"""A folder in place of a document: `FOLDER/.dlm/corpus.dlm`, made once (FORMAT §4)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..api import UsageError
from ..plugins import Plugins

NAME = ".dlm/corpus.dlm"


def document_of(
    folder: Path, plugins: Plugins, base: str | None, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[Path, bool]:
    """The document of a folder, and whether it was made now; one that is there is never changed.

    Raises UsageError when it is to be made and no base is named, or is there and something else is asked for.
    """
    path = folder / NAME
    shown = shlex.quote(str(folder))
    if path.is_file():
        if _says_otherwise(path, plugins, base, include, exclude):
            hint = f"edit it, or run it as it is: `dlm run {shown}`"
            raise UsageError(f"{path} is there already and says what is learned from {folder} and how", hint)
        return path, False
    if os.path.lexists(path):
        raise UsageError(f"{path} is no file", "move it away")
    if base is None:
        raise UsageError(
            f"{folder} has no {NAME} yet, and making it needs a base model",
            f"`dlm run {shown} --base KEY`; `dlm bases` lists the keys",
        )
    _make(path, plugins, base, include, exclude)
    return path, True


def _says_otherwise(
    path: Path, plugins: Plugins, base: str | None, include: Sequence[str], exclude: Sequence[str]
) -> bool:
    """Whether something is asked for that the document does not say; the first run's own words may be repeated."""
    if base is None and not include and not exclude:
        return False
    from ..document import read_document

    doc = read_document(path, plugins)
    source = (doc.config["training"]["sources"] or [{}])[0]
    return (
        base not in (None, doc.base_model)
        or (bool(include) and list(include) != source.get("include"))
        or (bool(exclude) and list(exclude) != source.get("exclude"))
    )


def _make(path: Path, plugins: Plugins, base: str, include: Sequence[str], exclude: Sequence[str]) -> None:
    from ..document.new import new_document
    from ..planning.bases import base_from_name
    from ..store.atomic import make_folder, write_file

    below = os.path.relpath(base, path.parent) if base.startswith(".") else base
    found = base_from_name(
        below if below.startswith((".", "/")) or below == base else f"./{below}", plugins, path.parent
    )
    source: dict[str, Any] = {"path": "."}
    if include:
        source["include"] = list(include)
    if exclude:
        source["exclude"] = list(exclude)
    settings: Mapping[str, Any] = {
        **found.recommended,
        "training.sources": [source],
        "training.sources_policy": "strict",
    }
    make_folder(path.parent)
    write_file(path, new_document(found.key, settings, "").encode())
