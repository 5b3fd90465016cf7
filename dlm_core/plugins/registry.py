"""A plugin's record, and the named contributions of one kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
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
    disabled_by: str = ""
    import_seconds: float = 0.0
    said: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} ({self.dist} {self.version})"

    @property
    def why(self) -> str:
        """The reason it failed or was disabled in one line; empty when it was not."""
        if self.error is None:
            return f"disabled by {self.disabled_by}" if self.disabled_by else ""
        return f"{type(self.error).__name__}: {' '.join(str(self.error).split())}"

    def fail(self, error: BaseException) -> None:
        """Note what is wrong with it.  The first thing stays: the rest may follow from it."""
        if self.error is None:
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
    def of(cls, kind: str, named: Iterable[tuple[str, Owned[T]]]) -> Registry[T]:
        claims: dict[str, list[Owned[T]]] = {}
        for name, item in named:
            claims.setdefault(name, []).append(item)
        return cls(
            kind,
            MappingProxyType({name: claim[0] for name, claim in sorted(claims.items()) if len(claim) == 1}),
            MappingProxyType(
                {name: tuple(item.owner for item in claim) for name, claim in sorted(claims.items()) if len(claim) > 1}
            ),
        )

    def __getitem__(self, name: str) -> T:
        return self.items_by_name[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_by_name)

    def __len__(self) -> int:
        return len(self.items_by_name)

    def owner(self, name: str) -> Plugin:
        return self.items_by_name[name].owner
