"""What was decided about each file of a source, by which rule, and how many there were of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

#: The first that applies decides, in this order (FORMAT §4); `taken` when none does.
Kind = Literal[
    "exclude",
    "built-in",
    "secret",
    "training.yaml",
    "ignore",
    "include",
    "weight",
    "limit",
    "file",
    "document",
    "taken",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and where it stands; `text` is its pattern, or a reason in words."""

    kind: Kind
    text: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f" ({self.file}:{self.line})" if self.line else f" ({self.file})" if self.file else ""
        return {
            "exclude": f"`exclude: {self.text}` of the source",
            "built-in": f"left out unless asked for: {self.text}",
            "training.yaml": f"`exclude: {self.text}`",
            "ignore": f"ignored by `{self.text}`",
            "include": f"no `include` matches: {self.text}",
            "weight": f"its weight is 0: {self.text}",
            "taken": f"taken{': ' if self.text else ''}{self.text}",
        }.get(self.kind, self.text) + place

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "text": self.text, "file": self.file or None, "line": self.line or None}


TAKEN = Rule("taken")
EMPTY = Rule("taken", "empty")
LET_THROUGH = Rule("taken", "secret, let through by --allow-secret")


@lru_cache(maxsize=4096)
def rule(kind: Kind, text: str = "", file: str = "", line: int = 0) -> Rule:
    """A rule, the same object for the same rule: there are as many decisions as files."""
    return Rule(kind, text, file, line)


@dataclass(frozen=True, slots=True)
class Decision:
    """A file, or a folder with all that is in it.  `warn`: somebody who wanted it should hear of it."""

    name: str
    rule: Rule
    is_folder: bool = False
    warn: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0

    @property
    def taken(self) -> bool:
        return self.rule.kind == "taken"

    def to_json(self) -> dict[str, Any]:
        found = {"name": self.name, "taken": self.taken, "folder": self.is_folder, "rule": self.rule.to_json()}
        return {**found, "tags": dict(self.tags), "weight": self.weight}


#: Names kept for each kind of rule.
EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """How many files each kind of rule decided, and the first few: small however many files there are."""

    counts: Counter[str] = field(default_factory=Counter)
    folders: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[Decision]] = field(default_factory=dict)
    bytes: int = 0
    let_through: list[str] = field(default_factory=list)

    def add(self, decision: Decision) -> None:
        kind = decision.rule.kind
        if decision.rule is LET_THROUGH:
            self.let_through.append(decision.name)
        (self.folders if decision.is_folder else self.counts)[kind] += 1
        examples = self.first.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(decision)

    def count_taken(self, taken: Rule) -> bool:
        """Count a file that was taken when no more of its kind are wanted as examples; False when one is."""
        if len(self.first.get(taken.kind, ())) < EXAMPLES:
            return False
        self.counts[taken.kind] += 1
        return True

    def to_json(self) -> dict[str, Any]:
        first = {kind: [decision.to_json() for decision in found] for kind, found in self.first.items()}
        counts = {"files": dict(self.counts), "folders": dict(self.folders), "bytes": self.bytes}
        return {**counts, "first": first, "let_through": list(self.let_through)}
