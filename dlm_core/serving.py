"""Open a trained version the way it was trained: its base, its precision, its system prompt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .answering import Chosen, Wanted, choose
from .api import Document, LocatedBase, OpenModel, Precision
from .document import read_document
from .pipeline import current_version, refuse_other_base
from .planning.bases import base_from_name, completed, find_engine
from .plugins import Plugins
from .store import Version, open_store


def locate_version(path: Path, plugins: Plugins, number: int | None = None) -> tuple[Document, Version, LocatedBase]:
    """The document as it is now, a version of it, and the base that version was trained on.

    Raises UsageError when there is no such version, BaseMissingError when its base is gone, RunFailedError when the
    base's files are not those it was trained on.
    """
    from .cache import cache_of  # SQLite, which most commands do without

    doc = read_document(path, plugins)
    version = current_version(open_store(doc.id), number)
    base = base_from_name(version.manifest["config"]["base_model"], plugins, path.parent)
    located = find_engine(base, plugins).locate(completed(base, plugins), fetch=False)
    refuse_other_base(version, located)
    return doc, version, replace(located, cache=cache_of(doc.config, lambda message: None))


@contextmanager
def open_wanted(
    wanted: Wanted, version: Version, base: LocatedBase, plugins: Plugins
) -> Iterator[tuple[OpenModel, Chosen]]:
    """A version ready to answer with the adapter asked for, a mix of several, or as its router says."""
    with (
        choose(wanted, version, find_engine(base.model, plugins), base, plugins) as chosen,
        open_version(version, base, plugins, chosen.folder) as model,
    ):
        yield chosen.routed(model), chosen


def open_version(version: Version, base: LocatedBase, plugins: Plugins, adapters: Path | None = None) -> OpenModel:
    """Base and adapters, the version's own or those in another folder, loaded; the caller closes it."""
    precision = Precision(**version.manifest["plan"]["precision"])
    system_prompt = version.manifest["config"]["system_prompt"]
    return find_engine(base.model, plugins).open(base, adapters or version.adapter, precision, system_prompt)
