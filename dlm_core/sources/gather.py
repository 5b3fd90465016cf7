"""Gather: the document's own sections, then those of the files its `training.sources` point at."""

# Strings, not Path objects: this is run for every file of a tree.
# ruff: noqa: PTH119, PTH120

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..api import Document, DocumentError, Problem, Section, SourceReader, Span
from ..api.errors import UntrustedError
from ..document.make import make_source_section
from ..document.sections import has_media, media_id
from ..files import shown_path
from ..media.paths import outside as outside_media
from ..plugins import Plugins
from . import builtin
from .allowed import NOTHING, Allowed, Watched
from .beside import Beside
from .decisions import EMPTY, LET_THROUGH, TAKEN, Decision, Rule, Tally, rule
from .opening import TooLargeError, mount_points, open_regular, read_in, read_open
from .scope import Scope
from .secret import is_private_key, is_secret_name
from .source import Source, find_source, home_of, secret_problem, unusable
from .text import HEAD
from .trust import is_trusted
from .walk import File, Walk, reason
from .weights import Weights

#: What a reader gives: (section type, content, attributes), perhaps with a line; or what it left out.
Found = tuple[str, str, Mapping[str, str]] | tuple[str, str, Mapping[str, str], int] | Problem


@dataclass(frozen=True, slots=True)
class Gathered:
    """All sections in order, a warning for each file that was skipped though it was wanted, and what was decided."""

    sections: tuple[Section, ...]
    warnings: tuple[Problem, ...]
    tally: Tally
    weights: Weights


def gather(
    doc: Document,
    plugins: Plugins,
    see: Callable[[Decision], None] | None = None,
    allowed: Allowed = NOTHING,
) -> Gathered:
    """Everything at once.  `see` hears of each file; `allowed` are secrets that the command line lets through.

    Raises DocumentError for a source that is missing, secret or unusable, or leads out under a strict policy,
    UntrustedError for one outside the folder of a document that its owner has not trusted, and UsageError for a file
    that was allowed in vain.
    """
    gathering = Gathering(doc, plugins, see, allowed=allowed)
    sections = tuple(gathering)
    return Gathered(sections, tuple(gathering.warnings), gathering.tally, gathering.weights)


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
    allowed: Allowed = NOTHING
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
        self.beside = Beside(self.readers)
        self._trusted: bool | None = None
        self._failed: set[tuple[str, Span]] = set()
        self.watched = Watched(self.allowed)

    def __iter__(self) -> Iterator[Section]:
        sources = self.find_sources()
        yield from self.doc.sections
        for source in sources:
            yield from self.read_source(source)
        if self.errors:
            raise DocumentError(self.doc.path, self.errors)
        self.watched.refuse_unused()

    # -- the sources as wholes ---------------------------------------------------------------------

    def find_sources(self) -> list[Source]:
        """The sources that can be read; what is wrong with the others is among `errors`."""
        found = []
        for index, source in enumerate(self.doc.config["training"]["sources"] or ()):
            where = self.doc.where_value(f"training.sources.{index}.path")
            one = find_source(Path(self.home), source, where, self.allowed)
            if isinstance(one, Problem):
                self.errors.append(one)
            elif self.strict and not self._inside(one.root):
                self.errors.append(self._leads_out(one.root, where))
            else:
                found.append(one)
        outside = [source.text for source in found if not self._inside(source.root)]
        for section, path in outside_media(self.doc, self.plugins):
            if self.strict:
                self.errors.append(self._leads_out(path, section.span))
            else:
                outside.append(path)
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
        for file in [_named(source)] if source.is_file else self.walk(source):
            if source.is_file and (pattern := source.exclude.find_file(file.name)) is not None:
                self._decide(source, Decision(file.name, rule("exclude", pattern)))
            elif file.scope.configs and (weight := file.scope.weight)[0] == 0:
                self._decide(source, Decision(file.name, rule("weight", weight[1]), tags=file.scope.tags))
            elif source.most_files and count >= source.most_files:
                self._decide(source, Decision(file.name, rule("limit", f"max_files={source.most_files}")))
                if not any(warning.code == "DLM0503" and warning.span == source.where for warning in self.warnings):
                    message = f"more than max_files={source.most_files} files"
                    self.warnings.append(Problem(source.where, message, None, "warning", "DLM0503"))
                if self.see is None and not self.allowed:
                    return
            elif not source.is_file and (described := self.beside.described_by(file.path)):
                self._decide(source, Decision(file.name, rule("file", f"it describes {described}")))
            else:
                sections = self._read_file(source, file)
                count += sections is not None
                yield from sections or ()

    def walk(self, source: Source, on_folder: Callable[[str], None] = lambda path: None) -> Walk:
        """The files of a source that is a folder, none of them read yet."""

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
            self.allowed,
            source.is_secret,
            on_folder,
        )

    def _decide(self, source: Source, decision: Decision) -> None:
        if decision.is_folder and decision.name == "." and decision.warn:
            self.errors.append(unusable(source.where, source.text, decision.rule.text))
            return
        self.tally.add(decision)
        if self.see is not None:
            self.see(decision)
        if self.allowed:
            self.watched.see(os.path.dirname(source.root) if source.is_file else source.root, decision)
        if decision.warn:
            message = f"skipped {decision.name}: {decision.rule.text}"
            self.warnings.append(Problem(source.where, message, None, "warning", "DLM0504"))

    # -- one file ----------------------------------------------------------------------------------

    def _read_file(self, source: Source, file: File) -> list[Section] | None:
        """The sections of a file; None, with the reason decided, when it is not read."""
        try:
            data = self._read_bytes(source, file)
            if not isinstance(data, bytes):
                self._decide(source, Decision(file.name, data, warn=data.kind != "document" or source.is_file))
                return None
            sections = self._sections(source, file, data)
        except _ReaderFailedError as error:
            self._decide(source, Decision(file.name, rule("file", f"its reader failed: {error}")))
            return None
        except OSError as error:
            if source.is_file:
                self.errors.append(unusable(source.where, source.text, reason(error)))
            else:
                self._decide(source, Decision(file.name, rule("file", reason(error)), warn=True))
            return None
        except ValueError as error:
            self._decide(source, Decision(file.name, rule("file", str(error)), warn=True))
            return None
        self.tally.bytes += len(data)
        taken = TAKEN if sections else EMPTY
        if self.allowed and self._is_let_through(file, data):
            taken = LET_THROUGH
        if file.scope.configs or self.see or self.allowed or not self.tally.count_taken(taken):
            self._decide(source, self._taken(file, sections, taken))
        return sections

    def _taken(self, file: File, sections: list[Section], taken: Rule) -> Decision:
        """What is said of a file that was taken; the weight of its sections is kept."""
        scope = file.scope
        if not scope.configs:
            return Decision(file.name, taken)
        weight = scope.weight[0]
        if weight != 1:
            self.weights.update({(section.id, section.source): weight for section in sections})
        return Decision(file.name, taken, tags=scope.tags, weight=weight)

    def _read_bytes(self, source: Source, file: File) -> bytes | Rule:
        """What the file holds, or the rule against it, told from the very file that was opened."""
        if file.folder is not None:
            name = file.path[file.path.rfind("/") + 1 :]
            data = read_in(file.folder, name, self.own, source.most_bytes)
            return _THE_DOCUMENT if data is None else data
        descriptor, state, real = open_regular(file.path, follow=file.is_link)
        try:
            if (state.st_dev, state.st_ino) == self.own:
                return _THE_DOCUMENT
            if file.is_link and (against := self._against_link(source, file, real)) is not None:
                return against
            if source.most_bytes and state.st_size > source.most_bytes:
                raise TooLargeError(state.st_size, source.most_bytes)
            return read_open(descriptor, state.st_size)
        finally:
            os.close(descriptor)

    def _against_link(self, source: Source, file: File, real: str) -> Rule | None:
        """The rule against what lies at `real`, where a link leads."""
        if real not in self.allowed.files and (is_secret_name(real) or (self.allowed and is_secret_name(file.path))):
            return rule("secret", "secret")
        if self._inside(real):
            return None
        if self.strict:
            self.errors.append(self._leads_out(file.path, source.where))
            return rule("file", "a link that leads out of the document's folder")
        if not self.trusted:
            return rule("file", "a link out of the folder of a document you have not trusted (`dlm trust`)")
        return None

    def _is_let_through(self, file: File, data: bytes) -> bool:
        """Whether a file that was read is secret: it is then one that was allowed."""
        real = os.path.realpath(file.path)
        if real not in self.allowed.files:
            return False
        secret = is_secret_name(real) or is_secret_name(file.path) or is_private_key(data[:HEAD])
        if secret:
            self.watched.let_through[real] = file.name
        return secret

    def _sections(self, source: Source, file: File, data: bytes) -> list[Section]:
        head, name = data[:HEAD], file.name
        if is_private_key(head) and not (self.allowed and os.path.realpath(file.path) in self.allowed.files):
            if source.is_file:
                self.errors.append(secret_problem(source.where, name))
            raise ValueError("secret, a private key")
        reader = self._reader_for(source, name, head)
        if reader is None:
            raise ValueError("no reader claims it")
        where, made = source.where, []
        for found in self._read_with(reader, source, name, data):
            if isinstance(found, Problem):
                self.warnings.append(replace(found, severity="warning", file=found.file or self._shown(file)))
                continue
            kind, content, attrs = found[:3]
            line = found[3] if len(found) > 3 else None
            made.append(make_source_section(kind, content, where, attrs, line, name, file.path))
            if attrs.get("path") and has_media(kind, self.plugins):
                digest = hashlib.sha256(data).hexdigest()
                made[-1] = replace(made[-1], id=media_id(kind, attrs["path"], digest))
        return made

    def _shown(self, file: File) -> Path:
        return shown_path(file.path, self.doc.path)

    def _reader_for(self, source: Source, name: str, head: bytes) -> SourceReader | None:
        dot = name.rfind(".")
        if dot > name.rfind("/") + 1 and (reader := self.by_suffix.get(name[dot:].lower())) is not None:
            return reader
        for reader in self.readers:
            try:
                if reader.sniff(head):
                    return reader
            except (Exception, SystemExit) as error:
                raise self._fault(reader, source, name, error) from error
        return None

    def _read_with(self, reader: SourceReader, source: Source, name: str, data: bytes) -> list[Found]:
        """What the reader makes of a file.  Raises OSError and ValueError as it does, else _ReaderFailedError."""
        try:
            found = list(reader.read(data, name))
            for one in found:
                if not isinstance(one, Problem):
                    _refuse_shape(one)
        except (OSError, ValueError):
            raise
        except (Exception, SystemExit) as error:
            raise self._fault(reader, source, name, error) from error
        return found

    def _fault(self, reader: SourceReader, source: Source, name: str, error: BaseException) -> _ReaderFailedError:
        """A reader's own fault, told once at the source: it may fail on every file for the same reason."""
        what = " ".join(f"{type(error).__name__}: {error}".split())
        if (reader.name, source.where) not in self._failed:
            self._failed.add((reader.name, source.where))
            owner = self.plugins.source_readers.owner(reader.name)
            message = f"the reader `{reader.name}` of plugin {owner.label} failed on {name}: {what}"
            hint = "report this to the plugin's author; until then `exclude` under the source leaves such files out"
            self.errors.append(Problem(source.where, message, hint, code="DLM0306"))
        return _ReaderFailedError(what)


#: Its settings are no text to learn, and its `!exam` answers must not be.
_THE_DOCUMENT = Rule("document", "the document itself")


class _ReaderFailedError(Exception):
    """A reader failed by a fault of its own; that was told already."""


def _refuse_shape(found: Any) -> None:
    """Raise TypeError unless it is a section as a reader gives them."""
    is_one = isinstance(found, tuple) and len(found) in (3, 4) and isinstance(found[0], str)
    if not is_one or not (isinstance(found[1], str) and isinstance(found[2], Mapping) and _has_line(found)):
        raise TypeError(f"it gave {found!r:.60}, not (section type, content, attributes)")


def _has_line(found: tuple[Any, ...]) -> bool:
    return len(found) == 3 or isinstance(found[3], int)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _named(source: Source) -> File:
    return File(source.root, os.path.basename(source.text.rstrip("/")), True, Scope())
