"""Answer by way of a router: each prompt with its own mixture of a version's adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api import Blend, Message, OpenModel, Row, RunFailedError, UsageError

if TYPE_CHECKING:
    from .api import Route, Router, Sampling, Score
    from .plugins import Plugins

#: How the folder begins that a phase beside the adapters leaves; no adapter's name begins so.
BESIDE = "_"

#: Of a running text, how many of its first characters stand for the prompt.
OPENING = 2048


@dataclass(frozen=True, slots=True)
class OnDuty:
    """The router that answers for a version, and the folder with what it learned."""

    router: Router
    folder: Path

    @property
    def name(self) -> str:
        return self.router.name

    def fixed(self) -> Route:
        """The one mixture that stands for its routes in an export."""
        return self.router.fixed(self.folder)


def on_duty(adapters: Path, off: frozenset[str], plugins: Plugins) -> OnDuty | None:
    """The router of the adapters in a folder; None when there is none or it is `off`.

    Raises PluginMissingError for what no plugin here can read, UsageError for several routers at once.
    """
    names = sorted(path.name.removeprefix(BESIDE) for path in adapters.glob(f"{BESIDE}*") if path.is_dir())
    names = [name for name in names if name not in off and (name in plugins.routers or not _is_known(name, plugins))]
    if len(names) > 1:
        raise UsageError(
            f"{' and '.join(names)} cannot both choose the adapters", f"switch one of them off: `--{names[0]} off`"
        )
    return OnDuty(plugins.get(plugins.routers, names[0]), adapters / f"{BESIDE}{names[0]}") if names else None


def _is_known(name: str, plugins: Plugins) -> bool:
    """Whether a phase of a plugin at work left the folder, which then holds something else than a router."""
    return name in plugins.trainers


@dataclass
class RoutedModel(OpenModel):
    """An open model in which the router says who answers, whichever adapter is asked; None is the base alone."""

    inner: OpenModel
    duty: OnDuty
    _known: dict[str, Route] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not type(self.inner).blends:
            raise RunFailedError(
                f"the engine of this base cannot mix adapters for each prompt, as {self.duty.name} wants it",
                f"answer with one adapter: `--{self.duty.name} off`",
            )

    def routes(self, prompts: Sequence[Sequence[Message]]) -> list[Route]:
        """Who answers each prompt.  A prompt that was asked before is not asked again."""
        keys = [repr(tuple(prompt)) for prompt in prompts]
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._known}
        if new:
            found = self.duty.router.route(self.duty.folder, self.inner, [*new.values()])
            self._known.update(zip(new, found, strict=True))
        return [self._known[key] for key in keys]

    def _blend(self, prompts: Sequence[Sequence[Message]]) -> Blend:
        return Blend(tuple(route.weights for route in self.routes(prompts)))

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        return self.inner.generate(prompts, sampling, self._blend(prompts) if prompts and adapter is not None else None)

    def stream(
        self, prompt: Sequence[Message], sampling: Sampling, adapter: str | Blend | None = "default"
    ) -> Iterator[str]:
        return self.inner.stream(prompt, sampling, self._blend([prompt]) if adapter is not None else None)

    def score(self, rows: Sequence[Row], adapter: str | Blend | None = "default") -> Iterator[Score]:
        asked = [prompt_of(row) for row in rows]
        return self.inner.score(rows, self._blend(asked) if rows and adapter is not None else None)

    def render(self, messages: Sequence[Message], *, answer_next: bool = True) -> str:
        return self.inner.render(messages, answer_next=answer_next)

    def encode(self, text: str) -> list[int]:
        return self.inner.encode(text)

    def logits(self, ids: Sequence[int], adapter: str | Blend | None = "default") -> Any:
        """The logits of one of the adapters: token ids alone are no prompt that could be routed."""
        return self.inner.logits(ids, adapter)

    def features(self, texts: Sequence[str]) -> Any:
        return self.inner.features(texts)

    def close(self) -> None:
        self.inner.close()


def prompt_of(row: Row) -> tuple[Message, ...]:
    """What of a row a router sees: its question, or how its text begins."""
    if row.question:
        return row.question
    text = row.data.get("prompt") or row.data.get("text") or "".join(message.text for message in row.messages)
    return (Message.of("user", str(text)[:OPENING]),)


@dataclass(frozen=True, slots=True)
class Routing:
    """How a router did on the document's own questions.

    `right` of `asked` rows that belong to one adapter alone got the most of that one, by side; `shares` are each
    adapter's mean weight.
    """

    router: str
    reason: str
    right: Mapping[str, int]
    asked: Mapping[str, int]
    shares: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        return {
            "router": self.router,
            "reason": self.reason,
            "right": dict(self.right),
            "asked": dict(self.asked),
            "shares": dict(self.shares),
        }


def routing_of(model: RoutedModel, sides: Mapping[str, Sequence[Row]]) -> Routing | None:
    """How the rows of each side are routed; None where no row belongs to one adapter alone."""
    right: dict[str, int] = {}
    asked: dict[str, int] = {}
    shares: dict[str, float] = {}
    reasons: dict[str, None] = {}
    total = 0
    for side, rows in sides.items():
        own = [row for row in rows if len(row.adapters) == 1]
        routes = model.routes([prompt_of(row) for row in own])
        asked[side] = len(own)
        right[side] = sum(route.first == row.adapters[0] for route, row in zip(routes, own, strict=True))
        for route in routes:
            reasons[route.reason] = None
            total += 1
            for name, weight in route.weights.items():
                shares[name] = shares.get(name, 0.0) + weight
    if not total:
        return None
    means = {name: weight / total for name, weight in shares.items()}
    return Routing(model.duty.name, "; ".join(reasons), right, asked, means)
