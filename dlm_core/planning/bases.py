"""From `base_model` in a document to a base model and the engine that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..api import BaseMissingError, BaseModel, Document, DocumentError, Engine, PluginMissingError, Problem, UsageError
from ..files import expand_home
from ..plugins import Plugins
from ..spelling import closest


@contextmanager
def about_base(doc: Document, code: str = "DLM0131") -> Iterator[None]:
    """Say at the document's `base_model` that the base is missing or may not be used.  Raises DocumentError."""
    try:
        yield
    except BaseMissingError as error:
        problem = Problem(doc.where_value("base_model"), error.message, error.hint, code=code)
        raise DocumentError(doc.path, [problem]) from error


def find_base(doc: Document, plugins: Plugins) -> BaseModel:
    """The base that the document names.  Raises DocumentError at its line."""
    try:
        with about_base(doc):
            return base_from_name(doc.base_model, plugins, doc.path.parent)
    except (PluginMissingError, UsageError) as error:
        hint = plugins.hint("base model", doc.base_model)
        code = hint.code if hint else "DLM0130"
        problem = Problem(doc.where_value("base_model"), error.message, error.hint, code=code)
        raise DocumentError(doc.path, [problem]) from None


def base_from_name(name: str, plugins: Plugins, folder: Path) -> BaseModel:
    """A registry key, `hf:org/name[@revision]`, or a folder.

    Raises UsageError for an unknown key, PluginMissingError for one whose plugin is not at work.
    """
    if name in plugins.base_models:
        return plugins.base_models[name]
    if name.startswith("hf:"):
        repo, _, revision = name[3:].partition("@")
        return BaseModel(name, f"hub:{repo}", revision)
    if name.startswith((".", "/", "~")):
        return BaseModel(name, str(_find_folder(folder, name)))
    if hint := plugins.hint("base model", name):
        raise PluginMissingError(f"no base model {name!r}", hint.text)
    close = closest(name, plugins.base_models)
    text = f"did you mean `{close}`?" if close else "`dlm bases` lists the known ones"
    raise UsageError(f"no base model {name!r}", text)


def _find_folder(start: Path, name: str) -> Path:
    hint = "point `base_model` at a folder"
    try:
        path = (start / expand_home(name)).resolve()
        if path.is_dir():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        # RuntimeError is what `~` of an unknown user and, before Python 3.13, a circle of links give.
        reason = getattr(error, "strerror", None) or str(error)
        raise BaseMissingError(f"the base model folder {name} cannot be used: {reason}", hint) from error
    raise BaseMissingError(f"the base model folder {path} does not exist", hint)


def completed(base: BaseModel, plugins: Plugins) -> BaseModel:
    """The base with all kinds of media that it takes, as its engine knows them."""
    return replace(base, accepts=find_engine(base, plugins).accepts(base))


def find_engine(base: BaseModel, plugins: Plugins) -> Engine:
    """The first engine, by name, that can run this base."""
    for engine in plugins.engines.values():
        if engine.can(base):
            return engine
    hint = plugins.missing("engine")
    raise PluginMissingError(f"no engine here can run the base model {base.key!r}", hint.text if hint else None)
