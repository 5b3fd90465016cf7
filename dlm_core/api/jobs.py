"""Jobs handed to plugins and what comes back.  A job is plain JSON plus files, apart from its `control`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .document import Span
from .models import AdapterSettings, BaseModel, BaseShape, LocatedBase, TrainingSettings
from .planning import Batch, Precision
from .rows import Media, Row

if TYPE_CHECKING:
    from .interfaces import OpenModel

LongRows = Literal["error", "cut", "skip"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a run tells the world; docs/reference/events.md lists every kind and its data."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """A job's line to the run: tell what happens, and ask whether to stop after this step."""

    tell: Callable[[Event], None] = lambda event: None
    stop_requested: Callable[[], bool] = lambda: False

    def emit(self, kind: str, **data: Any) -> None:
        self.tell(Event(kind, data))


@dataclass(frozen=True, slots=True)
class TrainJob:
    """One phase of training.

    `rows` are learned and `validation` only measured; each row names the adapters it belongs to.
    `start` is a folder with one subfolder per adapter (PEFT layout), left by the phase or version before.
    `turns` maps the key of a row to the epochs, counted from 0, in which it is trained; a row that is not in it is
    trained in each.  A trainer that takes no notice trains every row in every epoch: that learns the same and is slow.
    `out` receives the same layout.  `work` is where checkpoints are kept and, with `resume`, found.
    `config` is the whole validated frontmatter as JSON, so that a plugin reads its own block.
    `fingerprint` identifies document, rows, base and plan: a checkpoint with another one must be refused.
    """

    phase: str
    base: LocatedBase
    rows: tuple[Row, ...]
    validation: tuple[Row, ...]
    adapters: Mapping[str, AdapterSettings]
    settings: TrainingSettings
    precision: Precision
    batch: Batch
    system_prompt: str | None
    config: Mapping[str, Any]
    start: Path | None
    out: Path
    work: Path
    resume: bool = False
    long_rows: LongRows = "error"
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    turns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    control: Control = field(default_factory=Control, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Everything but `control`, as JSON values."""
        return {
            "phase": self.phase,
            "base": {
                "model": asdict(self.base.model),
                "folder": str(self.base.folder),
                "shape": asdict(self.base.shape),
                "sha256": self.base.sha256,
                "cache": self.base.cache.to_json() if self.base.cache else None,
            },
            "rows": [row.to_json() for row in self.rows],
            "validation": [row.to_json() for row in self.validation],
            "adapters": {name: asdict(settings) for name, settings in self.adapters.items()},
            "settings": asdict(self.settings),
            "precision": asdict(self.precision),
            "batch": asdict(self.batch),
            "system_prompt": self.system_prompt,
            "config": dict(self.config),
            "start": str(self.start) if self.start else None,
            "out": str(self.out),
            "work": str(self.work),
            "resume": self.resume,
            "long_rows": self.long_rows,
            "fingerprint": dict(self.fingerprint),
            "turns": {key: list(epochs) for key, epochs in self.turns.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], control: Control | None = None) -> TrainJob:
        from ..cache import CacheSettings, RowCache

        base = value["base"]
        cache = RowCache(CacheSettings(**base["cache"])) if base.get("cache") else None
        return cls(
            phase=value["phase"],
            base=LocatedBase(
                BaseModel(**base["model"]), Path(base["folder"]), BaseShape(**base["shape"]), base["sha256"], cache
            ),
            rows=tuple(Row.from_json(row) for row in value["rows"]),
            validation=tuple(Row.from_json(row) for row in value["validation"]),
            adapters={name: AdapterSettings(**settings) for name, settings in value["adapters"].items()},
            settings=TrainingSettings(**value["settings"]),
            precision=Precision(**value["precision"]),
            batch=Batch(**value["batch"]),
            system_prompt=value["system_prompt"],
            config=value["config"],
            start=Path(value["start"]) if value["start"] else None,
            out=Path(value["out"]),
            work=Path(value["work"]),
            resume=value["resume"],
            long_rows=value["long_rows"],
            fingerprint=value["fingerprint"],
            turns={key: tuple(epochs) for key, epochs in value.get("turns", {}).items()},
            control=control or Control(),
        )


@dataclass(frozen=True, slots=True)
class TrainResult:
    """`adapter` holds one subfolder per adapter name; `metrics` are numbers worth keeping, such as `loss`.

    `peak_memory`, in bytes, is compared with the plan; with several adapters names are `adapter/name`.
    """

    adapter: Path
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mix:
    """A weighted sum of adapters, written as one of this `name`.

    `error` is how far what was written is from the true sum of the weights' changes, as a share of that sum.
    """

    name: str
    weights: Mapping[str, float]
    rank: int
    error: float

    @property
    def text(self) -> str:
        """`1·a + 0.5·b`."""
        return " + ".join(f"{weight:g}·{name}" for name, weight in self.weights.items())


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose the next token.  `temperature` 0 is greedy."""

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """A row's summed negative log-likelihood in nats over its labelled tokens."""

    loss_sum: float
    tokens: int

    @property
    def loss(self) -> float:
        """Mean loss a token in nats; 0 when the row has no labelled token."""
        return self.loss_sum / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file an exporter wrote, with what is worth saying about it."""

    path: Path
    sha256: str
    details: Mapping[str, Any] = field(default_factory=dict)


def _top(*_keys: str) -> Span:
    return Span(1)


def _no_file(_part: Media) -> tuple[str, bytes] | None:
    return None


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One adapter of one version, to be written in some format.

    `adapter` is a PEFT folder that bears the adapter's name.
    `rows` are the document's own rows, for calibration and for checks.
    `options` holds the values of the exporter's declared options.  `open` loads base and adapter in an engine,
    so that an exporter can hold its artifact against the original.  `where` gives a problem its place: the value of
    the first of some dotted frontmatter keys that the author wrote.  `as_file` gives a part of a row as a file of a
    common type, as its kind's `to_file` does, from the file that the model was trained on.
    """

    name: str
    dlm_id: str
    version: int
    base: LocatedBase
    adapter: Path
    rows: tuple[Row, ...]
    system_prompt: str | None
    config: Mapping[str, Any]
    options: Mapping[str, str]
    out: Path
    open: Callable[[], OpenModel]
    control: Control = field(default_factory=Control, compare=False)
    where: Callable[..., Span] = field(default=_top, compare=False)
    as_file: Callable[[Media], tuple[str, bytes] | None] = field(default=_no_file, compare=False)
