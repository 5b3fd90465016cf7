"""A plugin's record, and the named contributions of one kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")
State = Literal["builtin", "active", "disabled", "failed"]


@dataclass(slots=True)
class Plugin:
    """What is known of one plugin, whether it could be loaded or not."""

    name: str
    dist: str
    version: str
    state: State = "active"
    error: BaseException | None = None
    hooks: tuple[str, ...] = ()
    said: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} ({self.dist} {self.version})"

    @property
    def why(self) -> str:
        """The reason it failed in one line; empty when it did not."""
        return f"{type(self.error).__name__}: {self.error}" if self.error else ""

    def fail(self, error: BaseException) -> None:
        self.state, self.error = "failed", error


class Hint(NamedTuple):
    """What to do about a name that nobody provides.  `code` is DLM0301 not installed, 0302 disabled, 0303 failed,
    0304 claimed twice."""

    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Owned(Generic[T]):
    owner: Plugin
    value: T


@dataclass(frozen=True, slots=True)
class Registry(Mapping[str, T]):
    """Contributions of one kind by name, sorted.  A name claimed twice belongs to nobody; see `clashes`."""

    kind: str
    items_by_name: Mapping[str, Owned[T]] = field(default_factory=dict)
    clashes: Mapping[str, tuple[Plugin, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, owned: Iterable[Owned[T]], name: Callable[[T], str]) -> Registry[T]:
        claims: dict[str, list[Owned[T]]] = {}
        for item in owned:
            claims.setdefault(name(item.value), []).append(item)
        return cls(
            kind,
            {name: claim[0] for name, claim in sorted(claims.items()) if len(claim) == 1},
            {name: tuple(item.owner for item in claim) for name, claim in sorted(claims.items()) if len(claim) > 1},
        )

    def __getitem__(self, name: str) -> T:
        return self.items_by_name[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_by_name)

    def __len__(self) -> int:
        return len(self.items_by_name)

    def owner(self, name: str) -> Plugin:
        return self.items_by_name[name].owner


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)
