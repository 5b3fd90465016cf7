"""Gather: the document's own sections, then those of the files its `training.sources` point at."""

# Strings, not Path objects: this is run for every file of a tree.
# ruff: noqa: PTH100, PTH119, PTH120

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..api import Document, DocumentError, Problem, Section, SourceReader, Span
from ..api.errors import UntrustedError
from ..document.make import section_id
from ..files import default_home
from ..plugins import Plugins
from . import builtin
from .decisions import Decision, Rule, Tally, rule
from .globs import Globs, compile_globs
from .opening import mount_points, open_in, open_regular, read_open
from .scope import Scope
from .secret import is_private_key, is_secret, is_secret_name
from .text import HEAD
from .trust import is_trusted
from .walk import File, Walk, reason
from .weights import Weights


@dataclass(frozen=True, slots=True)
class Gathered:
    """All sections in order, a warning for each file that was skipped though it was wanted, and what was decided."""

    sections: tuple[Section, ...]
    warnings: tuple[Problem, ...]
    tally: Tally
    weights: Weights


def gather(doc: Document, plugins: Plugins, see: Callable[[Decision], None] | None = None) -> Gathered:
    """Everything at once.  `see` hears of each file.

    Raises DocumentError for a source that is missing, secret or unusable, or leads out under a strict policy, and
    UntrustedError for one outside the folder of a document that its owner has not trusted.
    """
    gathering = Gathering(doc, plugins, see)
    sections = tuple(gathering)
    return Gathered(sections, tuple(gathering.warnings), gathering.tally, gathering.weights)


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of `training.sources`, found: `root` is a path without links."""

    text: str
    root: str
    is_file: bool
    where: Span
    include: Globs
    exclude: Globs
    most_bytes: int | None
    most_files: int | None


@dataclass
class Gathering:
    """Iterate over it for the sections, one file read at a time; what else was found is there afterwards.

    Iterating raises as `gather` does, before the first section for what is wrong with a source as a whole, at the
    end for what was found on the way.
    """

    doc: Document
    plugins: Plugins
    see: Callable[[Decision], None] | None = None
    only: Sequence[str] = ()
    tally: Tally = field(default_factory=Tally)
    warnings: list[Problem] = field(default_factory=list)
    weights: dict[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        training = self.doc.config["training"]
        self.strict = training["sources_policy"] == "strict"
        self.errors: list[Problem] = []
        self.home = home_of(self.doc.path)
        self.own = _identity(self.doc.path)
        self.readers = list(self.plugins.source_readers.values())
        self.by_suffix = {suffix: one for one in reversed(self.readers) for suffix in one.suffixes}
        self._trusted: bool | None = None

    def __iter__(self) -> Iterator[Section]:
        sources = self.find_sources()
        yield from self.doc.sections
        for source in sources:
            yield from self.read_source(source)
        if self.errors:
            raise DocumentError(self.doc.path, self.errors)

    # -- the sources as wholes ---------------------------------------------------------------------

    def find_sources(self) -> list[Source]:
        """The sources that can be read; what is wrong with the others is among `errors`."""
        found = []
        for index, source in enumerate(self.doc.config["training"]["sources"] or ()):
            where = self.doc.where_value(f"training.sources.{index}.path")
            one = _find_source(Path(self.home), source, where)
            if isinstance(one, Problem):
                self.errors.append(one)
            elif self.strict and not self._inside(one.root):
                self.errors.append(self._leads_out(one.root, where))
            else:
                found.append(one)
        outside = [source.text for source in found if not self._inside(source.root)]
        if outside and not self.trusted:
            raise UntrustedError(self.doc, outside)
        return found

    @property
    def trusted(self) -> bool:
        if self._trusted is None:
            self._trusted = is_trusted(self.doc)
        return self._trusted

    def _inside(self, path: str) -> bool:
        return path == self.home or path.startswith(self.home.rstrip("/") + "/")

    def _leads_out(self, path: str, where: Span) -> Problem:
        message = f"{path} leads out of {self.home}, which `sources_policy: strict` forbids"
        return Problem(where, message, "move it into the document's folder, or exclude it", code="DLM0502")

    # -- one source --------------------------------------------------------------------------------

    def read_source(self, source: Source) -> Iterator[Section]:
        """The sections of one source; what it was decided is told on the way."""
        count = 0
        for file in [_named(source)] if source.is_file else self._walk(source):
            if source.is_file and (pattern := source.exclude.find_file(file.name)) is not None:
                self._decide(source, Decision(file.name, rule("exclude", pattern)))
            elif (weight := file.scope.weight)[0] == 0:
                self._decide(source, Decision(file.name, rule("weight", weight[1]), tags=file.scope.tags))
            elif source.most_files and count >= source.most_files:
                self._decide(source, Decision(file.name, rule("limit", f"max_files={source.most_files}")))
                if not any(warning.code == "DLM0503" and warning.span == source.where for warning in self.warnings):
                    message = f"more than max_files={source.most_files} files"
                    self.warnings.append(Problem(source.where, message, None, "warning", "DLM0503"))
                if self.see is None:
                    return
            else:
                sections = self._read_file(source, file)
                count += sections is not None
                yield from sections or ()

    def _walk(self, source: Source) -> Walk:
        def on_mount(path: str) -> None:
            message = f"something is mounted at {path}, which `sources_policy: strict` does not reach into"
            self.errors.append(Problem(source.where, message, "exclude it", code="DLM0502"))

        def problem(found: Problem) -> None:
            if found.code == "DLM0506":
                found = replace(found, span=source.where)
            self.errors.append(found)

        return Walk(
            source.root,
            lambda decision: self._decide(source, decision),
            problem,
            source.include,
            source.exclude,
            builtin.skipped_suffixes(self.by_suffix),
            mount_points() - {source.root} if self.strict else frozenset(),
            on_mount,
            self.only,
        )

    def _decide(self, source: Source, decision: Decision) -> None:
        if decision.is_folder and decision.name == "." and decision.warn:
            self.errors.append(_unusable(source.where, source.text, decision.rule.text))
            return
        self.tally.add(decision)
        if self.see is not None:
            self.see(decision)
        if decision.warn:
            message = f"skipped {decision.name}: {decision.rule.text}"
            self.warnings.append(Problem(source.where, message, None, "warning", "DLM0504"))

    # -- one file ----------------------------------------------------------------------------------

    def _read_file(self, source: Source, file: File) -> list[Section] | None:
        """The sections of a file; None, with the reason decided, when it is not read."""
        try:
            data = self._read_bytes(source, file)
            if isinstance(data, Rule):
                self._decide(source, Decision(file.name, data, warn=data.kind != "document" or source.is_file))
                return None
            sections = list(self._sections(source, file, data))
        except OSError as error:
            if source.is_file:
                self.errors.append(_unusable(source.where, source.text, reason(error)))
            else:
                self._decide(source, Decision(file.name, rule("file", reason(error)), warn=True))
            return None
        except ValueError as error:
            self._decide(source, Decision(file.name, rule("file", str(error)), warn=True))
            return None
        scope = file.scope
        weight = scope.weight[0] if scope.configs else 1.0
        if weight != 1:
            self.weights.update({(section.id, section.source): weight for section in sections})
        self.tally.bytes += len(data)
        taken = rule("taken") if sections else rule("taken", "empty")
        self._decide(source, Decision(file.name, taken, tags=scope.tags if scope.configs else {}, weight=weight))
        return sections

    def _read_bytes(self, source: Source, file: File) -> bytes | Rule:
        """What the file holds, or the rule against it, told from the very file that was opened."""
        if file.folder is not None:
            descriptor, state = open_in(file.folder, file.path.rpartition("/")[2])
            real = file.path
        else:
            descriptor, state, real = open_regular(file.path, follow=file.is_link)
        try:
            if (state.st_dev, state.st_ino) == self.own:
                # Its settings are no text to learn, and its `!exam` answers must not be.
                return rule("document", "the document itself")
            if file.is_link:
                if is_secret_name(real):
                    return rule("secret", "secret")
                if not self._inside(real) and self.strict:
                    self.errors.append(self._leads_out(file.path, source.where))
                    return rule("file", "a link that leads out of the document's folder")
                if not self._inside(real) and not self.trusted:
                    return rule("file", "a link out of the folder of a document you have not trusted (`dlm trust`)")
            if source.most_bytes and state.st_size > source.most_bytes:
                raise ValueError(f"{state.st_size} bytes, more than max_bytes_per_file={source.most_bytes}")
            return read_open(descriptor, state.st_size)
        finally:
            os.close(descriptor)

    def _sections(self, source: Source, file: File, data: bytes) -> Iterator[Section]:
        head = data[:HEAD]
        if is_private_key(head):
            if source.is_file:
                self.errors.append(_secret(source.where, file.name))
            raise ValueError("secret, a private key")
        reader = self._reader_for(file.name, head)
        if reader is None:
            raise ValueError("no reader claims it")
        where = source.where
        for found in reader.read(data, file.name):
            if isinstance(found, Problem):
                self.warnings.append(replace(found, severity="warning", file=found.file or Path(file.name)))
                continue
            kind, content, attrs = found[:3]
            line = found[3] if len(found) > 3 else where.line
            yield Section(kind, content, where, section_id(kind, content), None, attrs, line, (), file.name)

    def _reader_for(self, name: str, head: bytes) -> SourceReader | None:
        dot = name.rfind(".")
        if dot > name.rfind("/") + 1 and (reader := self.by_suffix.get(name[dot:].lower())) is not None:
            return reader
        return next((reader for reader in self.readers if reader.sniff(head)), None)


def home_of(document: Path) -> str:
    """The folder a document's relative paths start at, without links: its own, or the one above when that is .dlm.

    Where DLM keeps its own files may be called .dlm too; what lies above that one is the user's whole home.
    """
    own = os.path.dirname(os.path.abspath(document))
    home = os.path.realpath(own)
    if os.path.basename(own) != ".dlm" or home == os.path.realpath(default_home()):
        return home
    return os.path.realpath(os.path.dirname(own))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _named(source: Source) -> File:
    return File(source.root, os.path.basename(source.text.rstrip("/")), True, Scope())


def _find_source(home: Path, source: Mapping[str, Any], where: Span) -> Source | Problem:
    """The file or folder that a source names; or what is wrong with it."""
    text = source["path"]
    try:
        root = home / Path(text).expanduser()
        if is_secret(root):
            return _secret(where, text)
        is_file = _is_file(root)
        include, exclude = compile_globs(tuple(source["include"])), compile_globs(tuple(source["exclude"]))
    except (FileNotFoundError, NotADirectoryError):
        return Problem(where, f"the source {text} does not exist", f"looked for {root}", code="DLM0501")
    except (OSError, ValueError, RuntimeError) as error:
        # RuntimeError is what `~` of an unknown user and, before Python 3.13, a circle of links give.
        return _unusable(where, text, reason(error))
    return Source(
        text,
        os.path.realpath(root),
        is_file,
        where,
        include,
        exclude,
        source["max_bytes_per_file"],
        source["max_files"],
    )


def _is_file(root: Path) -> bool:
    """Raises OSError when it is not there, ValueError when it is neither a file nor a folder."""
    kind = root.stat().st_mode
    if stat.S_ISDIR(kind):
        return False
    if stat.S_ISREG(kind):
        return True
    raise ValueError("it is neither a file nor a folder")


def _secret(where: Span, name: str) -> Problem:
    hint = "keys, tokens and what a system keeps private are no sources; name another file or folder"
    return Problem(where, f"the source {name} is secret and never read", hint, code="DLM0505")


def _unusable(where: Span, name: str, why: str) -> Problem:
    return Problem(where, f"the source {name} cannot be read: {why}", None, code="DLM0506")
