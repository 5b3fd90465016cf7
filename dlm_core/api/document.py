"""A parsed document: where things are, what is wrong, and its sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A 1-based position in a file and how many characters from there are meant."""

    line: int
    col: int = 1
    width: int = 1


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair that needs no question: put `text`, without line ends, in the place of what `span` covers on its line.

    Columns count characters.  Column 0 of line 1 is the byte order mark, which no other column counts.
    """

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: where, what, why, and what to do about it.

    `code` is stable (`DLM0101`); `hint` is a full sentence or a command that works as written.
    `file` is set only when the place is not in the document itself, for instance in a source: its path as one opens it.
    `fix` is what `dlm check --fix` does about it: only where the author's meaning cannot be in doubt.
    """

    span: Span
    message: str
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"
    code: str = ""
    file: Path | None = None
    fix: Fix | None = None

    def __post_init__(self) -> None:
        if "\n" in self.message:  # names and values that a message quotes may hold anything; it stays one line
            object.__setattr__(self, "message", self.message.replace("\n", "\\n"))

    def render(self, path: Path) -> str:
        """`file:line:col: error: message`, and the hint on a line of its own."""
        tag = f"{self.severity}[{self.code}]" if self.code else self.severity
        tail = f"\n  help: {self.hint}" if self.hint else ""
        return f"{self.file or path}:{self.span.line}:{self.span.col}: {tag}: {self.message}{tail}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `dlm explain CODE` shows of a problem's code: capital letters and four digits, a title, a page in Markdown.

    The letters are the plugin's own; `DLM` is core's.
    """

    code: str
    title: str
    page: str


def read_explanations(folder: Path) -> list[Explanation]:
    """The pages `CODE.md` of a folder, by code.  A page's first line is `# CODE: title`."""
    found = []
    for path in sorted(folder.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        found.append(Explanation(path.stem, page.partition("\n")[0].partition(": ")[2].strip(), page))
    return found


@dataclass(frozen=True, slots=True)
class Marker:
    """A provenance comment on the first lines of a section, such as `<!-- dlm-auto-synth: … -->`."""

    name: str
    values: Mapping[str, str]
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """One typed span of the body: a fence line and the text under it.

    `content` holds the lines between the fences with outer blank lines and markers removed; its first line is
    line `content_line` of the file.  `id` is 16 hex digits over type and content (FORMAT §3).  Where a source's reader
    does not tell lines, `tells_lines` is false and `content_line` is where the document names the source.  `source` is
    the file's name below the source, `file` its path.
    """

    type: str
    content: str
    span: Span
    id: str
    adapter: str | None = None
    attrs: Mapping[str, str] = field(default_factory=dict)
    content_line: int = 0
    markers: tuple[Marker, ...] = ()
    source: str = ""
    tells_lines: bool = True
    file: str = ""

    def at(self, offset: int, col: int = 1, width: int = 1) -> Span:
        """The position in the file of the content's line number `offset`, counted from 0."""
        return Span(self.content_line + offset, col, width)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that passed every check.

    `frontmatter` is an instance of the composed pydantic model; `config` is the same as plain JSON values.
    `spans` and `values` give the positions of each dotted key that the author wrote and of its value; `views` the
    blocks of plugins that share a key's name with another plugin, each with its own default for it.
    """

    path: Path
    id: str
    base_model: str
    system_prompt: str | None
    frontmatter: Any
    config: Mapping[str, Any]
    sections: tuple[Section, ...]
    spans: Mapping[str, Span] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    sha256: str = ""
    views: Mapping[type, Any] = field(default_factory=dict)
    values: Mapping[str, Span] = field(default_factory=dict)

    def where(self, key: str) -> Span:
        """The position of a dotted frontmatter key, of its closest written parent, or of the top."""
        while key:
            if key in self.spans:
                return self.spans[key]
            key = key.rpartition(".")[0]
        return Span(1)

    def where_value(self, key: str, *others: str) -> Span:
        """Where to tell of a wrong value: that of the first of these keys that the author wrote; else `where`."""
        return next((self.values[one] for one in (key, *others) if one in self.values), self.where(key))

    def wrote(self, key: str) -> bool:
        """Whether the author wrote this dotted key, whatever its value."""
        return key in self.spans

    def block(self, model: type[T]) -> T:
        """The validated config block of type `model`, wherever its plugin mounted it.

        Raises LookupError when no block of that type is part of this document's schema.
        """
        if model in self.views:
            return cast("T", self.views[model])
        todo = [self.frontmatter]
        while todo:
            node = todo.pop()
            if isinstance(node, model):
                return node
            fields: Mapping[str, Any] = getattr(type(node), "model_fields", {})
            todo.extend(getattr(node, name) for name in fields)
        raise LookupError(f"{model.__name__} is not part of this document's schema")
