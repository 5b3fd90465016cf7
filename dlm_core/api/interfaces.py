"""What a plugin contributes: abstract classes without shared behaviour, one for each hook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pydantic

    from .document import Document, Problem, Section
    from .jobs import Artifact, ExportJob, LongRows, Mix, Sampling, Score, TrainJob, TrainResult
    from .models import BaseModel, LocatedBase, TrainingSettings
    from .planning import Hardware, PhaseNotes, Precision, RowSize, RowTokens
    from .routing import Blend
    from .rows import Message, Row


@dataclass(frozen=True, slots=True)
class Attr:
    """An attribute of a section's fence."""

    required: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """An exporter's option, given on the command line as `-o NAME=VALUE`."""

    default: str
    help: str
    choices: tuple[str, ...] = ()


class ConfigBlock(ABC):
    """A pydantic model mounted at a dotted frontmatter key.

    A new key (`training.gate`) becomes an optional block; the key of a block that core owns (`export`) gains
    the model's keys.  Every field needs a default, and the model must forbid unknown keys and be frozen.
    """

    path: ClassVar[str]

    @abstractmethod
    def model(self) -> type[pydantic.BaseModel]:
        """The model.  Import it here, so that commands which read no document never pay for pydantic."""

    def check(self, doc: Document) -> Iterable[Problem]:
        """Rules that reach beyond this block, run once everything is valid on its own."""
        return ()


class SectionType(ABC):
    """A kind of section, `::name::` in the body.  `markers` are the provenance comments it may open with."""

    name: ClassVar[str]
    help: ClassVar[str] = ""
    attrs: ClassVar[Mapping[str, Attr]] = {}
    body: ClassVar[Literal["required", "optional", "forbidden"]] = "required"
    markers: ClassVar[frozenset[str]] = frozenset()
    to_every_adapter: ClassVar[bool] = False

    @abstractmethod
    def rows(self, section: Section, doc: Document) -> Iterator[Row | Problem]:
        """Turn a section into rows.  Yield a Problem for anything wrong and go on; ValueError points at the fence."""

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        """The (kind, path) pairs of the files this section refers to."""
        return ()


class SourceReader(ABC):
    """Turns a file found by `training.sources` into sections."""

    name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]
    #: The suffix of files that may stand beside one of ours, with its name, and describe it: no texts of their own.
    beside: ClassVar[str] = ""

    def sniff(self, head: bytes) -> bool:
        """Whether a file with an unclaimed suffix is ours, by its first 1,024 bytes."""
        return False

    @abstractmethod
    def read(
        self, data: bytes, name: str
    ) -> Iterator[tuple[str, str, Mapping[str, str]] | tuple[str, str, Mapping[str, str], int] | Problem]:
        """Yield (section type, content, attributes), and the line of the file where the content begins if it is known.

        Yield a Problem, with its line in the file, for a part that is left out: it becomes a warning.  Raise ValueError
        to have the whole file skipped, with the reason; anything else is the reader's own fault and ends the command.
        """


class MediaKind(ABC):
    """An opaque kind of media part.

    A file goes through `probe` and `load` when the document is checked: what they refuse with ValueError is an error
    at the part's section, before anything is trained.  `policy` is what the base says of this kind in `accepts`, with
    the part's own options over it.  `question` is asked of a file when nothing else is.
    """

    name: ClassVar[str]
    question: ClassVar[str] = ""

    @abstractmethod
    def probe(self, path: Path) -> Mapping[str, Any]:
        """Facts that a look at the file's head gives, `notes` among them.  Raise ValueError when it cannot be used."""

    @abstractmethod
    def load(self, blob: bytes, policy: Mapping[str, Any]) -> Any:
        """What the base's engine takes in.  Raise ValueError, in one sentence, for bytes that cannot be used."""

    @abstractmethod
    def fingerprint(self, policy: Mapping[str, Any]) -> str:
        """Identifies how `load` decodes, for caches."""

    @abstractmethod
    def control_input(self) -> Any:
        """A blank of this kind, as `load` would give it, to check that the model uses what it is given."""

    def facts(self, loaded: Any) -> Mapping[str, Any]:
        """JSON values that tokens are counted by (a size, a duration), and under `notes` sentences to warn with."""
        return {}

    def pack(self, loaded: Any) -> bytes | None:
        """What is kept of a loaded file, so that it is not decoded again; None where that is not worth it."""
        return None

    def unpack(self, packed: bytes | memoryview) -> Any:
        """What `pack` was given.  Raise ValueError for other bytes."""
        raise ValueError("nothing of this kind is kept")

    def to_file(self, loaded: Any) -> tuple[str, bytes] | None:
        """A file of a common type, (MIME type, bytes), for programs that a model is exported to, or None."""
        return None

    def options(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options of a part, as a document's frontmatter wants them; for files given on the command line."""
        return {}


class PrecisionPolicy(ABC):
    """Chooses dtype and quantization.  The policy of the highest rank that does not decline decides."""

    name: ClassVar[str]
    rank: ClassVar[int] = 0

    @abstractmethod
    def decide(self, hardware: Hardware, base: BaseModel, doc: Document) -> Precision | None: ...


class Trainer(ABC):
    """One training phase.  A plugin that is merely installed changes nothing: `wanted` looks at the document.

    It comes behind the phases in `after` and ahead of those in `before`.  `takes_over`: kinds of row that, when this
    phase is wanted, no phase trains on that does not name them here too.  `beside`: it trains something beside the
    adapters, such as a router.  It comes behind the phases that train adapters, in every run has all rows that it
    `picks`, whoever else trains them, and keeps what it makes in a folder `_NAME` of `job.out`.
    """

    phase: ClassVar[str]
    after: ClassVar[tuple[str, ...]] = ()
    before: ClassVar[tuple[str, ...]] = ()
    consumes: ClassVar[frozenset[str]]
    takes_over: ClassVar[frozenset[str]] = frozenset()
    beside: ClassVar[bool] = False

    @abstractmethod
    def wanted(self, doc: Document, rows: Sequence[Row]) -> bool: ...

    def picks(self, row: Row) -> bool:
        """Of a phase `beside`: whether it learns from this row, which is of a kind that it consumes."""
        return True

    def steps(self, doc: Document, rows: Sequence[Row]) -> int:
        """Of a phase `beside`: how many steps it takes with the rows that it picked."""
        return 0

    def problems(self, doc: Document, rows: Sequence[Row], base: BaseModel) -> Iterable[Problem]:
        """What this phase cannot do with this document or base; asked before anything is fetched or trained."""
        return ()

    def settings(self, doc: Document, settings: TrainingSettings) -> TrainingSettings:
        """The run's settings as this phase has them: a plugin's own block may ask for other epochs, for instance.

        The plan counts with them and `job.settings` holds them.
        """
        return settings

    def notes(self, doc: Document, rows: Sequence[Row], base: LocatedBase) -> PhaseNotes:
        """What the plan says of this phase beyond its counts.  Must not import torch."""
        from .planning import PhaseNotes

        return PhaseNotes()

    @abstractmethod
    def train(self, job: TrainJob) -> TrainResult:
        """Train and leave the adapters in `job.out`.  Raise InterruptedRunError after saving a checkpoint."""


class OpenModel(ABC):
    """A base with its adapters, loaded and ready.

    `adapter=None` means the base alone.  Where `blends` is true, a Blend may stand for an adapter's name.
    """

    blends: ClassVar[bool] = False

    @abstractmethod
    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        """Answers in the order of the prompts, without the stop token."""

    @abstractmethod
    def stream(
        self, prompt: Sequence[Message], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        """One answer, piece by piece."""

    @abstractmethod
    def score(self, rows: Sequence[Row], adapter: str | Blend | None = "default") -> Iterator[Score]:
        """The loss of each row over the tokens that training would label."""

    @abstractmethod
    def render(self, messages: Sequence[Message], *, answer_next: bool = True) -> str:
        """The chat template's text, with the document's system prompt unless a system message is given."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text, special tokens recognised, none added."""

    @abstractmethod
    def logits(self, ids: Sequence[int], adapter: str | Blend | None = "default") -> Any:
        """A float32 array of shape (len(ids), vocabulary)."""

    def features(self, texts: Sequence[str]) -> Any:
        """What the base alone makes of each text: a float32 array of shape (len(texts), width).

        A text's features do not depend on the others.
        """
        from .errors import UsageError

        raise UsageError("this engine gives no features of texts", "answer with one adapter: `--adapter NAME`")

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Engine(ABC):
    """Runs models: finds a base's files, measures rows in tokens, generates and scores."""

    name: ClassVar[str]

    @abstractmethod
    def can(self, base: BaseModel) -> bool: ...

    @abstractmethod
    def locate(self, base: BaseModel, *, fetch: bool) -> LocatedBase:
        """The base's files on this machine, fetched if need be and allowed.  Raises BaseMissingError."""

    @abstractmethod
    def is_here(self, base: BaseModel) -> bool:
        """Whether the base's files lie on this machine; quick, no network."""

    def accepts(self, base: BaseModel) -> Mapping[str, Mapping[str, Any]]:
        """The kinds of media that the base takes, each with the policy its files are loaded with; quick, no network.

        What the base's entry says is completed with what its files say, where they lie on this machine.
        """
        return base.accepts

    @abstractmethod
    def measure(
        self, base: LocatedBase, rows: Sequence[Row], system_prompt: str | None, sequence_len: int
    ) -> list[RowSize]:
        """Each row in tokens.  Must not import torch."""

    def tokens(
        self,
        base: LocatedBase,
        rows: Sequence[Row],
        system_prompt: str | None,
        sequence_len: int,
        long_rows: LongRows = "error",
    ) -> Iterator[RowTokens]:
        """Each row exactly as its trainer reads it, for `dlm tokens`.  Must not import torch."""
        from .errors import UsageError

        raise UsageError(f"the engine {self.name} cannot show tokens", "`dlm plan` counts them")

    @abstractmethod
    def open(
        self, base: LocatedBase, adapters: Path | None, precision: Precision, system_prompt: str | None
    ) -> OpenModel:
        """`adapters` is a folder with one PEFT subfolder per adapter name."""

    def mix(self, base: LocatedBase, adapters: Path, weights: Mapping[str, float], name: str, out: Path) -> Mix:
        """Write the exact weighted sum of the adapters in a folder as the adapter `name` into the folder `out`.

        Raises CannotMixError for adapters that cannot be summed, with the reason.
        """
        from .errors import CannotMixError

        raise CannotMixError(f"the engine {self.name} cannot mix adapters", "use one of them: `--adapter NAME`")


class Exporter(ABC):
    """A format that a trained adapter can be written in.  `in_run`: `dlm run` writes it without being asked."""

    name: ClassVar[str]
    help: ClassVar[str] = ""
    in_run: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {}

    def preflight(self, job: ExportJob) -> Iterable[Problem]:
        """What stands in the way; asked before training, when `job.adapter` does not exist yet, and again after."""
        return ()

    @abstractmethod
    def export(self, job: ExportJob) -> Iterable[Artifact]:
        """Write into `job.out` and check the result.  Raise ExportFailedError and leave nothing when it is wrong."""


class Runner(ABC):
    """A place where a training job executes.  Only the driver commits what comes back."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, trainer: Trainer, job: TrainJob) -> TrainResult: ...


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand of `dlm`.  `target` is `package.module:command`, a click command imported when chosen.

    `reports` is a folder with the JSON Schema of each report that its `--json` prints, in a file `KIND.json`.
    """

    name: str
    help: str
    target: str
    reports: Path | None = None
